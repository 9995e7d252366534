#pragma once

#include "torch/torch.h"

namespace lvrpo {

// What Qwen2's decoder layers are made of (ByteDance-Seed/Bagel:modeling/qwen2/modeling_qwen2.py), for the
// plain language model and for both halves of BAGEL's layers.

// x / rms(x) * weight along the last dimension: computed in fp32, cast back, then scaled. That order is
// Qwen2's and matters in bf16.
torch::Tensor RmsNorm(const torch::Tensor& x, const torch::Tensor& weight, double eps);

// theta^(-2i / head_dim), fp32: [head_dim / 2].
torch::Tensor RotaryFrequencies(double theta, int64_t head_dim);

// Cosines and sines of positions int64 [B or 1, T], each [B or 1, 1, T, head_dim], of dtype `dtype`.
struct RotaryTables {
  torch::Tensor cos, sin;
};
RotaryTables MakeRotaryTables(const torch::Tensor& positions, const torch::Tensor& frequencies,
                              torch::Dtype dtype = torch::kFloat32);

// Rotary embedding in the half-split form: the first half of each head turned against the second.
// x [B, heads, T, d].
torch::Tensor Rotate(const torch::Tensor& x, const torch::Tensor& cos, const torch::Tensor& sin);

// Attention in which kv head j serves query heads j*g .. j*g+g-1: q [B, heads, T, d], k and v
// [B, kv_heads, L, d], mask bool [B or 1, T, L] (true: seen) or undefined (all seen) -> [B, heads, T, d].
// Keys and values are not copied for the groups.
torch::Tensor GroupedAttention(const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v,
                               const torch::Tensor& mask);

// down(silu(gate(x)) * up(x)), no biases.
torch::Tensor GatedMlp(const torch::Tensor& x, const torch::Tensor& gate, const torch::Tensor& up,
                       const torch::Tensor& down);

}  // namespace lvrpo
