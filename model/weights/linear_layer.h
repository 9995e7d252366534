#pragma once

#include <string>
#include <vector>

#include "model/kernels/fused_linear.h"
#include "model/weights/weights.h"

namespace lvrpo {

// Linear layers of a model, by name, with their adapters (model/weights/lora.h) if any. Several with a common
// input are fused, their outputs concatenated (model/kernels/fused_linear.h). Shares the tensors; copies
// share them too. Thread-safe while nobody changes the tensors.
class LinearLayer {
 public:
  LinearLayer() = default;
  // `modules`: names without ".weight". Weights are required, biases and adapters optional.
  LinearLayer(const TensorMap& tensors, const std::vector<std::string>& modules, double lora_scale = 0);

  // [..., in] -> [..., sum of outs]
  torch::Tensor operator()(const torch::Tensor& x) const;

  // second(activation(first(x))); for SwiGLU `first` is gate and up fused.
  static torch::Tensor Mlp(const LinearLayer& first, Activation activation, const LinearLayer& second,
                           const torch::Tensor& x);

 private:
  struct Adapter {
    torch::Tensor a, b;  // both undefined: none
  };
  FusedLinear fused_;
  std::vector<Adapter> adapters_;  // one per part; empty: none
  double lora_scale_ = 0;
};

}  // namespace lvrpo
