#pragma once

#include <cstdint>
#include <span>

#include "torch/torch.h"

namespace lvrpo {

// Consecutive rows of a batch, the past tokens that they attend to, and their mask.
struct AttentionSegment {
  int64_t rows = 0;
  // Keys and values of the past tokens, [1 or rows, kv_heads, P, d]; undefined: none.
  torch::Tensor past_keys = {}, past_values = {};
  // bool, broadcast to [rows, T, P + L], true: attended to; undefined: no mask. No gradient.
  torch::Tensor mask = {};
};

// softmax(q k^T / sqrt(d)) v with grouped queries: kv head j serves query heads j g .. j g + g - 1. q [B,
// heads, T, d], k and v [B, kv_heads, L, d], of any strides -> heads concatenated, [B, T, heads * d]. The
// rows of the segments add up to B.
//
// In fp32 on a CPU this is our own kernel (model/kernels/cpu_kernels.h), forward and backward: a row is the
// same bits with and without gradients and depends only on its sample's q, k, v and mask. A query whose keys
// are all masked gets zeros. On other devices and in other dtypes it is torch's.
torch::Tensor Attention(const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v,
                        std::span<const AttentionSegment> segments);
// One segment.
torch::Tensor Attention(const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v,
                        const torch::Tensor& mask = {});

// `past` [1 or B, heads, P, d] followed by `own` [B, heads, L, d] along the token axis: [B, heads, P + L, d].
// An undefined past: `own`.
torch::Tensor ConcatPast(const torch::Tensor& past, const torch::Tensor& own);

// [B, T, heads * d] -> [B, heads, T, d] and back.
torch::Tensor SplitHeads(const torch::Tensor& x, int64_t heads);
torch::Tensor MergeHeads(const torch::Tensor& x);

}  // namespace lvrpo
