#pragma once

#include "model/kernels/fused_ops.h"
#include "torch/torch.h"

namespace lvrpo {

// What Qwen2's decoder layers are made of (ByteDance-Seed/Bagel:modeling/qwen2/modeling_qwen2.py), for the
// plain language model and for both experts of BAGEL's layers.

// theta^(-2i / head_dim), fp32: [head_dim / 2].
torch::Tensor RotaryFrequencies(double theta, int64_t head_dim);

// positions int64 [B or 1, T]; computed in fp32, then cast to `dtype`.
RotaryTables MakeRotaryTables(const torch::Tensor& positions, const torch::Tensor& frequencies,
                              torch::Dtype dtype = torch::kFloat32);

}  // namespace lvrpo
