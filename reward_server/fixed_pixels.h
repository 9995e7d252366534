#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "data/image.h"
#include "data/resize.h"
#include "torch/torch.h"

namespace lvrpo {

// The filter that a published folder's preprocessor_config.json resizes images with; `fallback` when the
// file is missing or names none. DataLoss when it cannot be read.
absl::StatusOr<ResizeFilter> ProcessorFilter(const std::string& folder, ResizeFilter fallback);

// What a model of a fixed resolution sees of images of any sizes: resized to side x side, aspect ratio not
// kept, values -1 to 1. [B, 3, side, side].
absl::StatusOr<torch::Tensor> FixedPixels(const std::vector<RgbImage>& images, int side, ResizeFilter filter);

}  // namespace lvrpo
