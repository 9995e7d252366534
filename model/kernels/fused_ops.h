#pragma once

#include <cstdint>

#include "torch/torch.h"

namespace lvrpo {

// The operations between the GEMMs of a decoder layer (Qwen2's, both experts of BAGEL's). In fp32 on a CPU
// each is fused into one pass by the kernels of model/kernels/cpu_kernels.h, forward and backward; on other
// devices and in other dtypes it is composed of torch's. Values are the same bits with and without gradients.

struct SumAndNorm {
  torch::Tensor sum;   // x + delta
  torch::Tensor norm;  // sum / rms(sum) * weight along the last dimension
};
// x, delta [..., n], weight [n]. Without `delta` sum is x. In other dtypes than fp32 the norm is computed in
// at least fp32, cast back, then scaled: that order is Qwen2's and matters in bf16.
SumAndNorm AddRmsNorm(const torch::Tensor& x, const torch::Tensor& delta, const torch::Tensor& weight,
                      double eps);

// The activation between the two products of an MLP.
enum class Activation {
  kSwiGlu,     // silu(gate) * up of [gate | up] along the last dimension: [..., 2 n] -> [..., n]
  kGelu,       // tanh approximation: [..., n] -> [..., n]
  kGeGlu,      // gelu(gate) * up, tanh approximation (Gemma): [..., 2 n] -> [..., n]
  kExactGelu,  // x * Phi(x), by erf
  kQuickGelu,  // x * sigmoid(1.702 x) (CLIP)
};
// kSwiGlu and kGelu have kernels; the others are torch's everywhere.
constexpr bool HasCpuKernel(Activation activation) {
  return activation == Activation::kSwiGlu || activation == Activation::kGelu;
}
torch::Tensor Activate(Activation activation, const torch::Tensor& x);

// Cosines and sines of rotary angles, fp32 [B or 1, T, head_dim / 2].
struct RotaryTables {
  torch::Tensor cosine, sine;
};

// The output of a fused q, k, v projection for consecutive tokens, and the norms of its heads.
struct QkvInput {
  torch::Tensor qkv;             // [B, T, (heads + 2 kv_heads) d]: q, k, v concatenated; may be undefined
  torch::Tensor q_norm, k_norm;  // [d], weights of an RMS norm per head; undefined: none
};
struct Heads {
  torch::Tensor q;     // [B, heads, T, d]
  torch::Tensor k, v;  // [B, kv_heads, T, d]
};
// Splits the tokens of `first` followed by those of `second` into heads, RMS-normalises and rotates them
// (RoPE in its half-split form). Rotated in the tables' dtype, then cast to qkv's.
Heads SplitRotateHeads(const QkvInput& first, const QkvInput& second, const RotaryTables& rotary,
                       int64_t heads, int64_t kv_heads, double eps);

// Whether the kernels serve these tensors: fp32 on a CPU.
bool UsesCpuKernels(const torch::Tensor& x);

}  // namespace lvrpo
