#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "data/image/image.h"

namespace tesseract {
class TessBaseAPI;
}

namespace lvrpo {

struct ReadWord {
  std::string text;           // UTF-8
  double confidence = 0;      // 0 to 1
  int x = 0, y = 0;           // left upper corner, pixels of the image that was given
  int width = 0, height = 0;  // pixels
};

struct ReadText {
  std::string text;             // words with blanks between them, a line each; empty: nothing to read
  double confidence = 0;        // mean over the words; 0 without any
  std::vector<ReadWord> words;  // in the order of `text`
};

// Recognises the text in an image, with Tesseract's LSTM recogniser. Deterministic: only the caller's thread
// works on it, and no adaptation is kept from one image to the next.
//
// It searches for text anywhere, without layout analysis ("sparse text"), and binarises with an adaptive
// threshold (Sauvola), once the image and once its negative, for light letters; of overlapping words those of
// the better reading are kept. For a few words on a picture this finds more than page analysis, and more than
// a global threshold, which fails on small letters over a shaded background. An image is enlarged first, by
// the greatest whole factor from 1 to 4 that keeps its longer side within 1,024 pixels: letters of 8 pixels
// are hardly ever read otherwise, as the recogniser was trained on print of 20 to 40. Many single letters,
// and letters of 200 pixels and more, are missed. Images with a side under 8 pixels hold no text.
//
// Not thread-safe: one reader a thread. Loading takes tens of milliseconds and megabytes; reading a picture
// of 512x512 some tenths of a second.
class TextReader {
 public:
  struct Options {
    std::string language = "eng";  // as the data files are called; "eng+deu" for several
    std::string data_folder;       // of *.traineddata; empty: $TESSDATA_PREFIX, or else the package's
  };

  // NotFound says what to install when data of a language is missing; InvalidArgument: no name of a language.
  static absl::StatusOr<std::unique_ptr<TextReader>> Create(const Options& options);
  ~TextReader();
  TextReader(const TextReader&) = delete;

  // InvalidArgument for an image whose pixels do not fit its size, or with a side outside 1 .. 4,096.
  absl::StatusOr<ReadText> Read(const RgbImage& image);

 private:
  explicit TextReader(std::unique_ptr<tesseract::TessBaseAPI> recogniser);

  std::unique_ptr<tesseract::TessBaseAPI> recogniser_;
};

// The same with the default options, loaded when the first image comes. Not thread-safe.
class LazyTextReader {
 public:
  // As TextReader's; FailedPrecondition when it cannot be loaded.
  absl::StatusOr<ReadText> Read(const RgbImage& image);

 private:
  std::unique_ptr<TextReader> reader_;
};

}  // namespace lvrpo
