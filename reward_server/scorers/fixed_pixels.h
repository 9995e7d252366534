#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "data/image/image.h"
#include "reward_server/scorers/image_processor.h"
#include "torch/torch.h"

namespace lvrpo {

// The input of a model of fixed resolution for images of any sizes: resized to side x side, ignoring the
// aspect ratio, and normalised (values -1 to 1 by the usual mean and deviation of .5). [B, 3, side, side].
absl::StatusOr<torch::Tensor> FixedPixels(const std::vector<RgbImage>& images, int side,
                                          const ImageProcessor& processor);

}  // namespace lvrpo
