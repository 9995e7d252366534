#pragma once

#include <cstdint>
#include <vector>

#include "torch/torch.h"

namespace lvrpo {

// Keys and values of a context, after QK-norm and RoPE. A value: copying shares tensors, appending replaces
// them. Batch 1 serves any number of samples that share the context.
struct KvCache {
  std::vector<torch::Tensor> keys, values;  // per layer [B, Hkv, L, head_dim]; empty: nothing cached
  torch::Tensor valid;                      // bool [B, L], false: padding; undefined: none
  torch::Tensor next_position;              // int64 [B]; undefined: 0

  int64_t length() const { return keys.empty() ? 0 : keys[0].size(2); }
  int64_t batch() const {
    if (!keys.empty()) return keys[0].size(0);
    return next_position.defined() ? next_position.size(0) : 1;
  }

  // Repeats every row `times` times, interleaved: batch B becomes batch B * times.
  KvCache Repeat(int64_t times) const;
};

}  // namespace lvrpo
