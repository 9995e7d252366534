#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "data/image/image.h"
#include "data/image/image_limits.h"

// Reading image files of any kind this project knows. The bytes say what a file is, its name does not.
//
// Damaged, truncated and hostile files give InvalidArgument with a sentence; nothing is written to stderr.
// An EXIF orientation is applied unless told otherwise, so that a photograph taken sideways is seen upright;
// an orientation that only XMP data give is not. Gamma and colour profiles are ignored. All functions are
// pure and thread-safe.
namespace lvrpo {

enum class ImageFormat { kPng, kJpeg, kWebp, kGif };

// InvalidArgument when the bytes begin like none of them; what they are then is said where it is known.
absl::StatusOr<ImageFormat> RecognizeImage(absl::string_view bytes);

// What happens to transparency when RGB is asked for.
enum class AlphaPolicy {
  kOnWhite,  // composited on white, rounded as Pillow's paste; what BAGEL does with its inputs
  kDrop,     // the colours as stored, also where nothing of them would be seen; what SigLIP's processors do
};

struct DecodeOptions {
  AlphaPolicy alpha = AlphaPolicy::kOnWhite;
  ImageLimits limits{};
  bool upright = true;  // turned as the file's EXIF orientation says; otherwise as stored
};

// PNG, JPEG, WebP or GIF as 8-bit RGB; gray becomes three equal channels. What each format takes and refuses
// is said in data/image/png.h, data/image/jpeg.h, data/image/webp.h and data/image/gif.h.
absl::StatusOr<RgbImage> DecodeImage(absl::string_view bytes, const DecodeOptions& options = {});
// With the channels the file has, as stored.
absl::StatusOr<Raster> DecodeRaster(absl::string_view bytes, const ImageLimits& limits = {});
RgbImage ToRgb(Raster raster, AlphaPolicy alpha);
// The EXIF orientation of a file, 1 to 8; 1 when it has none or none that can be read.
int ReadOrientation(absl::string_view bytes);

// NotFound names the path; a file above the limit is not read. Other errors begin with the path.
absl::StatusOr<RgbImage> ReadImage(const std::string& path, const DecodeOptions& options = {});

}  // namespace lvrpo
