#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "data/image/image.h"
#include "reward_server/scorers/image_processor.h"
#include "torch/torch.h"

namespace lvrpo {

// What a model of a fixed resolution sees of images of any sizes: resized to side x side, aspect ratio not
// kept, and normalised (values -1 to 1 by the usual mean and deviation of .5). [B, 3, side, side].
absl::StatusOr<torch::Tensor> FixedPixels(const std::vector<RgbImage>& images, int side,
                                          const ImageProcessor& processor);

}  // namespace lvrpo
