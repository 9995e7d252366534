#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "torch/torch.h"

namespace lvrpo {

// The torch dtype of a safetensors dtype name. Unimplemented for those that torch tensors here cannot hold
// (8-bit and narrower floating point).
absl::StatusOr<torch::Dtype> TorchDtype(absl::string_view name);

// The safetensors name of a torch dtype; "" when it has none.
const char* SafetensorsDtype(torch::Dtype dtype);

// "fp32", "bf16", "fp16" or "keep" (nullopt): how commands name what weights are cast to. InvalidArgument
// lists the choices.
absl::StatusOr<std::optional<torch::Dtype>> ParseWeightDtype(absl::string_view name);

}  // namespace lvrpo
