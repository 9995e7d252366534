#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "data/image/image.h"

namespace lvrpo {

// Limits on image files. All are checked on the header, before anything is decoded: a small file can declare
// a huge picture.
struct ImageLimits {
  int64_t max_file_bytes = int64_t{128} << 20;
  int max_side = 65535;                   // pixels, width and height each
  int64_t max_pixels = int64_t{1} << 26;  // width x height; 8192 x 8192, or 256 MiB with four channels
};

// InvalidArgument when the file is larger than allowed. `format` begins the sentence, as "PNG".
absl::Status CheckFileSize(absl::string_view format, int64_t bytes, const ImageLimits& limits);
// InvalidArgument for an empty side, a side that is too long or too many pixels.
absl::Status CheckDimensions(absl::string_view format, int64_t width, int64_t height,
                             const ImageLimits& limits);
// Whether an image of `rows` rows (or rows of blocks) is accepted when this many of its last ones are missing
// or damaged: up to a sixteenth.
inline bool IsSmallLoss(int missing, int rows) { return int64_t{16} * missing <= rows; }
// InvalidArgument unless there are pixels for exactly its size, which is at least 1x1. For encoders.
absl::Status CheckImage(const RgbImage& image);

}  // namespace lvrpo
