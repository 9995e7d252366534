#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "data/image/image.h"

// Resizing of 8-bit images, equal to Image.resize of Pillow 13 bit for bit: the models' preprocessing is
// defined by it.
//
// When shrinking, the filter's support is scaled with the image (antialiasing). Rows are resized first, then
// columns; columns first when that removes more than twice as many rows as the other pass removes columns
// (Pillow's rule since release 13; before, rows were always first, which may differ by a level). Each pass
// uses weights rounded to 22 fractional bits and rounds its result to 8 bits; a pass is skipped where that
// side keeps its length. Nearest copies the pixel at the centre of the output pixel, with positions
// accumulated by addition.
//
// Pure functions, thread-safe, on one thread. InvalidArgument for an image whose pixels do not fit its size,
// a side outside 1 .. kMaxResizedSide, and a result of more than kMaxResizedPixels.
namespace lvrpo {

inline constexpr int kMaxResizedSide = 1 << 20;
inline constexpr int64_t kMaxResizedPixels = int64_t{1} << 28;

enum class ResizeFilter { kNearest, kBilinear, kBicubic, kLanczos };  // bicubic has a = -0.5, Lanczos 3 lobes

// `resample` of a preprocessor_config.json, Pillow's numbers: 0 nearest, 1 Lanczos, 2 bilinear, 3 bicubic.
absl::StatusOr<ResizeFilter> ResizeFilterByNumber(int64_t resample);

absl::StatusOr<RgbImage> Resize(const RgbImage& image, ImageSize size, ResizeFilter filter);
// Resizes every channel independently.
absl::StatusOr<Raster> Resize(const Raster& image, ImageSize size, ResizeFilter filter);
}  // namespace lvrpo
