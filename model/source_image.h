#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "data/image/image.h"
#include "data/image/image_file.h"
#include "model/bagel_config.h"
#include "proto/lvrpo/v1/prompt.pb.h"

namespace lvrpo {

// The image that a text task of `prompt_file` asks about. InvalidArgument, naming the prompt and the image:
// it cannot be read, or its sides are no multiples of the model's patch or too long for its position table.
absl::StatusOr<RgbImage> ReadSourceImage(const std::string& prompt_file, const v1::PromptRecord& record,
                                         const BagelConfig& model, const DecodeOptions& options = {});

}  // namespace lvrpo
