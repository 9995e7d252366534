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

// Reads what is written in an image, with Tesseract's LSTM recogniser. The same image always gives the same
// text: no thread but the caller's works on it, and nothing learnt from one image is kept for the next.
//
// It looks for text anywhere, in no layout ("sparse text"), and tells ink from ground by the surroundings of
// each pixel (Sauvola), once in the image and once in its negative, for light letters; of words found at one
// place those of the better reading are kept. Of a few words on a picture that finds more than the analysis
// of pages, and than one threshold for all of an image, which falls into the ground's own shades when letters
// are small. An image is enlarged first, by the greatest whole number from 1 to 4 that keeps its longer side
// within 1,024 pixels: letters of 8 pixels are hardly ever read otherwise, as the recogniser was trained on
// print of 20 to 40. Of single letters, and of letters of 200 pixels and more, many are missed. Images with a
// side under 8 pixels hold no text.
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
