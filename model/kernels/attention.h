#pragma once

#include <cstdint>
#include <span>

#include "torch/torch.h"

namespace lvrpo {

// Consecutive rows of a batch, and what their queries see beside their own keys.
struct AttentionSegment {
  int64_t rows = 0;
  // Keys and values in front of the segment's own, [1 or rows, kv_heads, P, d]; undefined: none.
  torch::Tensor past_keys = {}, past_values = {};
  // bool, broadcast to [rows, T, P + L], true: seen; undefined: everything is. No gradient.
  torch::Tensor mask = {};
};

// softmax(q k^T / sqrt(d)) v, in which kv head j serves query heads j g .. j g + g - 1: q [B, heads, T, d],
// k and v [B, kv_heads, L, d], strided in any way -> heads side by side, [B, T, heads * d]. The rows of the
// segments add up to B.
//
// In fp32 on a CPU this is our own kernel (model/kernels/cpu_kernels.h), with its own gradient: a row's
// numbers are the same bits with and without gradients and depend on nothing beside that sample's q, k, v and
// mask. A query that sees nothing gets zeros. Anywhere else, and in any other dtype, it is torch's.
torch::Tensor Attention(const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v,
                        std::span<const AttentionSegment> segments);
// One segment.
torch::Tensor Attention(const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v,
                        const torch::Tensor& mask = {});

// `own` behind `past` [1 or B, heads, P, d]: [B, heads, P + L, d]. An undefined past: `own`.
torch::Tensor ConcatPast(const torch::Tensor& past, const torch::Tensor& own);

// [B, T, heads * d] -> [B, heads, T, d] and back.
torch::Tensor SplitHeads(const torch::Tensor& x, int64_t heads);
torch::Tensor MergeHeads(const torch::Tensor& x);

}  // namespace lvrpo
