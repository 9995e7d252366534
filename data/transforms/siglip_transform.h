#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "data/image/image.h"
#include "data/image/resize.h"

// Image preprocessing of SigLIP and SigLIP 2, as in the published processors (transformers, the Pillow ones):
// resized to 8 bits, times the double 1/255, rounded to float, then (x - mean) / stddev in float. Images are
// RGB; how transparency was removed is the caller's choice (data/image/image_file.h; the processors drop it).
// Pure functions, thread-safe.
namespace lvrpo {

struct PixelNorm {
  std::array<float, 3> mean = {0.5f, 0.5f, 0.5f};
  std::array<float, 3> stddev = {0.5f, 0.5f, 0.5f};
  absl::Status Validate() const;  // InvalidArgument for a value that is not finite, and a stddev of 0
};

// Pixels of one image as floats, channels first.
struct PixelPlanes {
  int height = 0;
  int width = 0;
  std::vector<float> values;  // [3, height, width]
};

struct SiglipTransform {
  ImageSize size;                                 // the model's resolution; the aspect ratio is not kept
  ResizeFilter filter = ResizeFilter::kBilinear;  // `resample` of preprocessor_config.json
  PixelNorm norm;
};
absl::StatusOr<PixelPlanes> TransformForSiglip(const RgbImage& image, const SiglipTransform& transform);

// SigLIP 2 NaFlex: the aspect ratio is nearly kept, and the image has as many patches as fit.
struct NaflexTransform {
  int patch_size = 16;    // pixels a side, 1 .. 1024
  int max_patches = 256;  // N, 1 .. 65536
  ResizeFilter filter = ResizeFilter::kBilinear;
  PixelNorm norm;
};

struct NaflexPatches {
  int rows = 0;  // spatial shape, in patches; rows x columns <= N
  int columns = 0;
  std::vector<float> values;  // [N, patch_size * patch_size * 3]: by row, by column, channel last; then zeros
  std::vector<int32_t> mask;  // [N] 1 for a patch of the image, 0 for padding
};

// The size to resize to: sides are multiples of the patch size, by the largest scale in (0, 100), found to
// 1e-5 by bisection in double, at which rounding sides up leaves at most N patches. Small images are
// enlarged. InvalidArgument for a side outside 1 .. 65535 and a patch size or N out of range.
absl::StatusOr<ImageSize> NaflexSize(ImageSize image, int patch_size, int max_patches);
absl::StatusOr<NaflexPatches> TransformForNaflex(const RgbImage& image, const NaflexTransform& transform);

}  // namespace lvrpo
