#include "reward_server/scorers/fixed_pixels.h"

#include <algorithm>

#include "data/transforms/siglip_transform.h"
#include "model/autoencoder.h"

namespace lvrpo {

absl::StatusOr<torch::Tensor> FixedPixels(const std::vector<RgbImage>& images, int side,
                                          const ImageProcessor& processor) {
  const PixelNorm usual;
  const bool usually_normed = processor.norm.mean == usual.mean && processor.norm.stddev == usual.stddev;
  const bool fit = usually_normed && std::all_of(images.begin(), images.end(), [&](const RgbImage& image) {
                     return image.width == side && image.height == side;
                   });
  if (fit) return FromRgbImages(images);
  std::vector<torch::Tensor> pixels;
  for (const RgbImage& image : images) {
    const absl::StatusOr<PixelPlanes> planes =
        TransformForSiglip(image, {.size = {side, side}, .filter = processor.filter, .norm = processor.norm});
    if (!planes.ok()) return planes.status();
    pixels.push_back(torch::tensor(planes->values).view({3, side, side}));
  }
  return torch::stack(pixels);
}

}  // namespace lvrpo
