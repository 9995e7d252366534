#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "model/kernels/fused_ops.h"
#include "torch/torch.h"

namespace lvrpo {

// A linear layer; `bias` may be undefined.
struct LinearWeights {
  torch::Tensor weight, bias;  // [out, in], [out]
};

// Linear layers that read the same input (q, k and v; gate and up) as one: their outputs side by side,
// without a joined copy of the weights where none is needed. Shares the tensors, so gradients reach those
// that ask.
//
// In fp32 on a CPU with AVX-512 the products, and the gradient of x, are our own kernel's
// (model/kernels/cpu_kernels.h): LibTorch's MKL puts the weights in order again at every call, which at a
// decoding step's few rows costs as much as the product (docs/benchmarks.md has figures). The kernel keeps a
// copy of the weights in its order, made at first use and again when a weight has changed. A number of the
// result then depends on its row of x and the weights alone, not on the rows beside it. LVRPO_GEMM=torch in
// the environment asks for LibTorch's product everywhere.
//
// Values are the same bits with and without gradients: the learner's log-probs equal the sampler's.
// Thread-safe while nobody changes the weights.
class FusedLinear {
 public:
  FusedLinear() = default;
  explicit FusedLinear(std::vector<LinearWeights> parts);

  // [..., in] -> [..., sum of outs]
  torch::Tensor operator()(const torch::Tensor& x) const;

  // second(activation(first(x))). Without gradients many rows are taken a few at a time, so that what lies
  // between the products stays in the cache; the same bits.
  static torch::Tensor Mlp(const FusedLinear& first, Activation activation, const FusedLinear& second,
                           const torch::Tensor& x);

  const std::vector<LinearWeights>& parts() const { return parts_; }

  // Layers whose weights take more have no ordered copy and use LibTorch's product: in a model of that size
  // the copy would cost too much memory. A rule of each layer's size alone, so that all processes choose
  // alike.
  static constexpr int64_t kMostWeightBytes = int64_t{48} << 20;
  // Whether fp32 layers of that many weights on a CPU use our own product in this process.
  static bool UsesOwnProduct(int64_t weights);
  // Bytes of ordered copies in this process now.
  static int64_t PackedBytes();

 private:
  struct Packed;
  struct Cache;
  // Of the weights as they are now; null: use LibTorch.
  std::shared_ptr<const Packed> Pack(bool transposed) const;
  bool NeedsGrad(const torch::Tensor& x) const;
  torch::Tensor Forward(const torch::Tensor& x) const;  // [rows, in] -> [rows, sum of outs], no gradient

  std::vector<LinearWeights> parts_;
  std::shared_ptr<Cache> cache_;  // null: never packed
  friend struct FusedLinearFunction;
};

}  // namespace lvrpo
