#include "model/weights/linear_layer.h"

#include <algorithm>

#include "model/weights/lora.h"

namespace lvrpo {

LinearLayer::LinearLayer(const TensorMap& tensors, const std::vector<std::string>& modules, double lora_scale)
    : lora_scale_(lora_scale) {
  std::vector<LinearWeights> parts;
  for (const std::string& module : modules) {
    parts.push_back({tensors.at(module + ".weight"), FindTensor(tensors, module + ".bias")});
    adapters_.push_back({FindTensor(tensors, module + kLoraA), FindTensor(tensors, module + kLoraB)});
  }
  fused_ = FusedLinear(std::move(parts));
  if (std::none_of(adapters_.begin(), adapters_.end(), [](const Adapter& own) { return own.a.defined(); }))
    adapters_.clear();
}

torch::Tensor LinearLayer::operator()(const torch::Tensor& x) const {
  const torch::Tensor y = fused_(x);
  if (adapters_.empty()) return y;
  std::vector<torch::Tensor> outs;
  int64_t begin = 0;
  for (size_t i = 0; i < adapters_.size(); ++i) {
    const int64_t width = fused_.parts()[i].weight.size(0);
    outs.push_back(WithLora(y.narrow(-1, begin, width), x, adapters_[i].a, adapters_[i].b, lora_scale_));
    begin += width;
  }
  return outs.size() == 1 ? outs[0] : torch::cat(outs, -1);
}

torch::Tensor LinearLayer::Mlp(const LinearLayer& first, Activation activation, const LinearLayer& second,
                               const torch::Tensor& x) {
  if (!first.adapters_.empty() || !second.adapters_.empty()) return second(Activate(activation, first(x)));
  return FusedLinear::Mlp(first.fused_, activation, second.fused_, x);
}

}  // namespace lvrpo
