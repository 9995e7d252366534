#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "data/image/image.h"
#include "data/image/image_limits.h"

// Reads image files in any supported format. The format is detected by content, not by name.
//
// Damaged, truncated and hostile files give InvalidArgument with a sentence; nothing is written to stderr.
// The EXIF orientation is applied by default; an orientation given only in XMP data is not. Gamma and colour
// profiles are ignored. All functions are pure and thread-safe.
namespace lvrpo {

enum class ImageFormat { kPng, kJpeg, kWebp, kGif };

// InvalidArgument for any other format, which the message names where it is recognised.
absl::StatusOr<ImageFormat> RecognizeImage(absl::string_view bytes);

// How transparency is removed when RGB is requested.
enum class AlphaPolicy {
  kOnWhite,  // composited on white, rounded as Pillow's paste; what BAGEL does with its inputs
  kDrop,     // the colours as stored, even of fully transparent pixels; as SigLIP's processors do
};

struct DecodeOptions {
  AlphaPolicy alpha = AlphaPolicy::kOnWhite;
  ImageLimits limits{};
  bool upright = true;  // turned as the file's EXIF orientation says; otherwise as stored
};

// PNG, JPEG, WebP or GIF as 8-bit RGB; gray becomes three equal channels. What each format accepts and
// refuses is documented in data/image/png.h, data/image/jpeg.h, data/image/webp.h and data/image/gif.h.
absl::StatusOr<RgbImage> DecodeImage(absl::string_view bytes, const DecodeOptions& options = {});
// With the channels the file has, as stored.
absl::StatusOr<Raster> DecodeRaster(absl::string_view bytes, const ImageLimits& limits = {});
RgbImage ToRgb(Raster raster, AlphaPolicy alpha);
// The EXIF orientation of a file, 1 to 8; 1 when it has none or it is unreadable.
int ReadOrientation(absl::string_view bytes);

// NotFound names the path; a file above the limit is not read. Other errors begin with the path.
absl::StatusOr<RgbImage> ReadImage(const std::string& path, const DecodeOptions& options = {});

}  // namespace lvrpo
