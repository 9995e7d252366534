#pragma once

#include "absl/strings/match.h"
#include "model/weights/lora.h"

namespace lvrpo {

// The same model without adapters: W + scale B A, computed in fp32 (fp64 when W is) and rounded once to W's
// dtype. Detached; layers without an adapter share their tensors. DataLoss as from CheckLora.
inline absl::StatusOr<TensorMap> MergeLora(const TensorMap& tensors, const LoraConfig& config) {
  TensorMap merged = WithoutLora(tensors);
  if (absl::Status status = CheckLora(tensors, ShapesOf(merged), config, "the model with LoRA"); !status.ok())
    return status;
  torch::NoGradGuard no_grad;
  for (const auto& [name, a] : tensors) {
    if (!absl::EndsWith(name, kLoraA)) continue;
    const std::string module = name.substr(0, name.find(".lora_"));
    torch::Tensor& weight = merged.at(module + ".weight");
    const torch::Dtype wide = weight.scalar_type() == torch::kFloat64 ? torch::kFloat64 : torch::kFloat32;
    const torch::Tensor& b = tensors.at(module + kLoraB);
    weight =
        torch::addmm(weight.to(wide), b.to(wide), a.to(wide), 1, LoraScale(config)).to(weight.scalar_type());
  }
  return merged;
}

}  // namespace lvrpo
