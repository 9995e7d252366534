#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "model/kernels/fused_ops.h"
#include "torch/torch.h"

namespace lvrpo {

// Parameters of one linear layer; `bias` may be undefined.
struct LinearWeights {
  torch::Tensor weight, bias;  // [out, in], [out]
};

// Linear layers with a common input (q, k and v; gate and up) as one GEMM: their outputs concatenated along
// the last dimension. Shares the weights' tensors, so gradients reach those that require them.
//
// In fp32 on a CPU with AVX-512 the product and the gradient of x are our own GEMM (model/kernels/README.md):
// LibTorch's MKL repacks the weights at every call, which at a decode step's few rows costs as much as the
// product (docs/benchmarks.md has figures). Ours keeps a second, prepacked copy of the weights, made at first
// use and again when a weight has changed. Each output row then depends only on its row of x and the weights,
// not on the other rows. LVRPO_GEMM=torch in the environment selects LibTorch's product everywhere.
//
// Values are the same bits with and without gradients: the learner's log-probs equal the sampler's.
// Thread-safe while nobody changes the weights.
class FusedLinear {
 public:
  FusedLinear() = default;
  explicit FusedLinear(std::vector<LinearWeights> parts);

  // [..., in] -> [..., sum of outs]
  torch::Tensor operator()(const torch::Tensor& x) const;

  // second(activation(first(x))). Without gradients many rows run in blocks, so that the activations between
  // the two products stay in the cache; the same bits.
  static torch::Tensor Mlp(const FusedLinear& first, Activation activation, const FusedLinear& second,
                           const torch::Tensor& x);

  const std::vector<LinearWeights>& parts() const { return parts_; }

  // Layers with more bytes of weights are not prepacked and use LibTorch's product: in a model of that size
  // the second copy would cost too much memory. Depends on the layer's size only, so that all processes
  // choose alike.
  static constexpr int64_t kMostWeightBytes = int64_t{48} << 20;
  // Whether an fp32 layer of `weights` elements on a CPU uses our own product in this process.
  static bool UsesOwnProduct(int64_t weights);
  // Bytes of prepacked copies in this process now.
  static int64_t PackedBytes();

 private:
  struct Packed;
  struct Cache;
  // The current weights, prepacked; null: use LibTorch.
  std::shared_ptr<const Packed> Pack(bool transposed) const;
  bool NeedsGrad(const torch::Tensor& x) const;
  torch::Tensor Forward(const torch::Tensor& x) const;  // [rows, in] -> [rows, sum of outs], no gradient

  std::vector<LinearWeights> parts_;
  std::shared_ptr<Cache> cache_;  // null: never packed
  friend struct FusedLinearFunction;
};

}  // namespace lvrpo
