#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "data/image/image.h"
#include "data/transforms/siglip_transform.h"

// Image preprocessing of BAGEL's autoencoder and ViT: resized (Pillow's bicubic) to a size computed by a few
// rules, then divided by 255 in float and (x - mean) / stddev. Transparency must have been composited on
// white (AlphaPolicy::kOnWhite). Pure functions, thread-safe.
namespace lvrpo {

struct BagelImageRules {
  int max_side = 0;        // pixels
  int min_side = 0;        // the shorter side is enlarged to it, unless another rule forbids
  int stride = 0;          // sides are multiples of it
  int64_t max_pixels = 0;  // width x height
  friend bool operator==(const BagelImageRules&, const BagelImageRules&) = default;
};

// The released model's.
inline constexpr int64_t kBagelMaxPixels = 14 * 14 * 9 * 1024;
inline constexpr BagelImageRules kBagelAutoencoderRules = {1024, 512, 16, kBagelMaxPixels};
inline constexpr BagelImageRules kBagelVitRules = {980, 224, 14, kBagelMaxPixels};            // application
inline constexpr BagelImageRules kBagelVitEvaluationRules = {980, 378, 14, kBagelMaxPixels};  // benchmarks

// The size the rules give, as the reference computes it:
//   1. scale down to max_side, but then at least up to min_side;
//   2. above max_pixels, scale again by max_pixels / pixels: a ratio of areas applied to the sides, so that
//   the
//      result is far below the limit;
//   3. above max_side (which only 1's second half brings about), scale down to it.
// Each step rounds a side to a whole number, then to a multiple of the stride and at least one stride, halves
// to the even neighbour. So an extreme aspect ratio is not kept: 3000x20 becomes 1024x16. max_side is
// exceeded only when it is no multiple of the stride, by less than that. InvalidArgument for an image side
// outside 1 .. 65535, and rules that are not positive or above 65535 (max_pixels: 2^31).
absl::StatusOr<ImageSize> BagelSize(ImageSize image, const BagelImageRules& rules);

// The image at BagelSize.
absl::StatusOr<RgbImage> ResizeForBagel(const RgbImage& image, const BagelImageRules& rules);
// [3, height, width], with the released model's norm in [-1, 1].
absl::StatusOr<PixelPlanes> TransformForBagel(const RgbImage& image, const BagelImageRules& rules,
                                              const PixelNorm& norm = {});

}  // namespace lvrpo
