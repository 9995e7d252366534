#include "verifiers/images/ocr.h"

#include <dlfcn.h>
#include <tesseract/baseapi.h>
#include <tesseract/resultiterator.h>

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "common/files/filesystem.h"
#include "data/image/resize.h"
#include "data/tokenizer/tokenizer_json.h"

namespace lvrpo {
namespace {

constexpr int kMostSide = 4096;    // pixels
constexpr int kLeastSide = 8;      // pixels; nothing can be written in less
constexpr int kGoodSide = 1024;    // pixels; small images are enlarged up to it
constexpr int kMostEnlarged = 4;   // times
constexpr int kDotsPerInch = 300;  // set for every image, so that none is estimated

// Tesseract's matrix products ask for a team of OpenMP threads. Within this scope they get none: a parallel
// region at a level beyond the greatest active one runs on the thread that meets it. The functions are looked
// up with dlsym because the runtime comes with Tesseract, and compilers that have another do not find its
// header.
class OneThread {
 public:
  OneThread() {
    if (set_ != nullptr && get_ != nullptr) {
      before_ = get_();
      set_(0);
    }
  }
  ~OneThread() {
    if (set_ != nullptr && get_ != nullptr) set_(before_);
  }
  OneThread(const OneThread&) = delete;

 private:
  template <typename Function>
  static Function* Find(const char* name) {
    return reinterpret_cast<Function*>(dlsym(RTLD_DEFAULT, name));
  }

  void (*const set_)(int) = Find<void(int)>("omp_set_max_active_levels");
  int (*const get_)() = Find<int()>("omp_get_max_active_levels");
  int before_ = 1;
};

bool IsLanguageName(const std::string& name) {
  return !name.empty() && std::all_of(name.begin(), name.end(),
                                      [](unsigned char c) { return absl::ascii_isalnum(c) || c == '_'; });
}

absl::Status NoData(const std::string& language, const std::string& folder) {
  const std::string file = absl::StrCat(language, ".traineddata");
  return absl::NotFoundError(absl::StrCat(
      "Tesseract has no data to read the language ", QuoteToken(language), ": install Debian's package ",
      "tesseract-ocr-", absl::StrReplaceAll(absl::AsciiStrToLower(language), {{"_", "-"}}),
      folder.empty() ? absl::StrCat(", or name the folder of ", file)
                     : absl::StrCat(", or put ", file, " into ", folder)));
}

// By how much an image is enlarged.
int Enlargement(const RgbImage& image) {
  return std::clamp(kGoodSide / std::max(image.width, image.height), 1, kMostEnlarged);
}

struct Word {
  ReadWord word;
  bool begins_line = false;
};

bool Overlap(const ReadWord& a, const ReadWord& b) {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}

// Amount of text read, weighted by confidence.
double Weight(const std::vector<Word>& words) {
  double weight = 0;
  for (const Word& read : words) weight += read.word.confidence * static_cast<double>(read.word.text.size());
  return weight;
}

// Reads dark letters on a lighter background. `times`: the enlargement factor.
std::vector<Word> ReadDarkLetters(const RgbImage& image, int times, tesseract::TessBaseAPI* recogniser) {
  recogniser->SetImage(image.pixels.data(), image.width, image.height, 3, image.width * 3);
  recogniser->SetSourceResolution(kDotsPerInch);
  std::vector<Word> words;
  if (recogniser->Recognize(nullptr) == 0) {
    const std::unique_ptr<tesseract::ResultIterator> at(recogniser->GetIterator());
    for (bool more = at != nullptr; more; more = at->Next(tesseract::RIL_WORD)) {
      const std::unique_ptr<char[]> text(at->GetUTF8Text(tesseract::RIL_WORD));
      int left = 0, top = 0, right = 0, bottom = 0;
      if (text == nullptr || !at->BoundingBox(tesseract::RIL_WORD, &left, &top, &right, &bottom)) continue;
      words.push_back(
          {.word = {.text = text.get(),
                    .confidence = std::clamp(at->Confidence(tesseract::RIL_WORD) / 100.0, 0.0, 1.0),
                    .x = left / times,
                    .y = top / times,
                    .width = (right - left + times - 1) / times,
                    .height = (bottom - top + times - 1) / times},
           .begins_line = at->IsAtBeginningOf(tesseract::RIL_TEXTLINE)});
    }
  }
  recogniser->Clear();
  recogniser->ClearAdaptiveClassifier();
  return words;
}

// Merges two readings: all of one, and words of the other where it found nothing.
ReadText Merged(const std::vector<Word>& first, const std::vector<Word>& second) {
  std::vector<Word> words = first;
  for (const Word& other : second) {
    const bool covered = std::any_of(first.begin(), first.end(),
                                     [&](const Word& word) { return Overlap(word.word, other.word); });
    if (!covered) words.push_back(other);
  }
  ReadText read;
  for (size_t i = 0; i < words.size(); ++i) {
    const bool new_line = words[i].begins_line || i == first.size();
    absl::StrAppend(&read.text, i == 0 ? "" : new_line ? "\n" : " ", words[i].word.text);
    read.confidence += words[i].word.confidence / static_cast<double>(words.size());
    read.words.push_back(std::move(words[i].word));
  }
  return read;
}

}  // namespace

TextReader::TextReader(std::unique_ptr<tesseract::TessBaseAPI> recogniser)
    : recogniser_(std::move(recogniser)) {}

TextReader::~TextReader() = default;

absl::StatusOr<std::unique_ptr<TextReader>> TextReader::Create(const Options& options) {
  const std::vector<std::string> names = absl::StrSplit(options.language, '+');
  for (const std::string& name : names) {
    if (!IsLanguageName(name)) {
      return absl::InvalidArgumentError(
          absl::StrCat("the language ", QuoteToken(options.language),
                       " is not named as Tesseract does: \"eng\", \"eng+chi_sim\""));
    }
    if (!options.data_folder.empty() && !IsFile(JoinPath(options.data_folder, name + ".traineddata")))
      return NoData(name, options.data_folder);
  }
  auto recogniser = std::make_unique<tesseract::TessBaseAPI>();
  recogniser->SetVariable("debug_file", "/dev/null");
  const char* folder = options.data_folder.empty() ? nullptr : options.data_folder.c_str();
  if (recogniser->Init(folder, options.language.c_str(), tesseract::OEM_LSTM_ONLY) != 0)
    return NoData(options.language, options.data_folder);
  recogniser->SetPageSegMode(tesseract::PSM_SPARSE_TEXT);
  recogniser->SetVariable("thresholding_method", "2");  // Sauvola
  return std::unique_ptr<TextReader>(new TextReader(std::move(recogniser)));
}

absl::StatusOr<ReadText> TextReader::Read(const RgbImage& image) {
  const bool fits = image.width >= 1 && image.width <= kMostSide && image.height >= 1 &&
                    image.height <= kMostSide &&
                    image.pixels.size() == static_cast<size_t>(image.width) * image.height * 3;
  if (!fits) {
    return absl::InvalidArgumentError(
        absl::StrCat("an image of ", image.width, "x", image.height, " with ", image.pixels.size(),
                     " bytes cannot be read; sides are 1 to ", kMostSide, ", with 3 bytes a pixel"));
  }
  if (std::min(image.width, image.height) < kLeastSide) return ReadText();
  const int times = Enlargement(image);
  absl::StatusOr<RgbImage> large =
      Resize(image, {image.width * times, image.height * times}, ResizeFilter::kBicubic);
  if (!large.ok()) return large.status();

  const OneThread one_thread;
  const std::vector<Word> dark = ReadDarkLetters(*large, times, recogniser_.get());
  for (uint8_t& value : large->pixels) value = static_cast<uint8_t>(255 - value);
  const std::vector<Word> light = ReadDarkLetters(*large, times, recogniser_.get());
  return Weight(dark) >= Weight(light) ? Merged(dark, light) : Merged(light, dark);
}

absl::StatusOr<ReadText> LazyTextReader::Read(const RgbImage& image) {
  if (reader_ == nullptr) {
    absl::StatusOr<std::unique_ptr<TextReader>> reader = TextReader::Create({});
    if (!reader.ok()) return absl::FailedPreconditionError(reader.status().message());
    reader_ = *std::move(reader);
  }
  return reader_->Read(image);
}

}  // namespace lvrpo
