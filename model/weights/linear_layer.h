#pragma once

#include <string>
#include <vector>

#include "model/kernels/fused_linear.h"
#include "model/weights/weights.h"

namespace lvrpo {

// Linear layers of a model, by name, with their adapters (model/weights/lora.h) where they have any. Several
// that read the same input are one, with their outputs side by side. Shares the tensors; copies share them
// too. Thread-safe while nobody changes the tensors.
class LinearLayer {
 public:
  LinearLayer() = default;
  // `modules`: names without ".weight". The weights must be there; biases and adapters may be.
  LinearLayer(const TensorMap& tensors, const std::vector<std::string>& modules, double lora_scale = 0);

  // [..., in] -> [..., sum of outs]
  torch::Tensor operator()(const torch::Tensor& x) const;

  // second(activation(first(x))); for SwiGLU `first` joins gate and up.
  static torch::Tensor Mlp(const LinearLayer& first, Activation activation, const LinearLayer& second,
                           const torch::Tensor& x);

 private:
  struct Adapter {
    torch::Tensor a, b;  // both undefined: none
  };
  FusedLinear joined_;
  std::vector<Adapter> adapters_;  // of each part; empty: none has one
  double lora_scale_ = 0;
};

}  // namespace lvrpo
