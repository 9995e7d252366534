#pragma once

#include <cstdint>
#include <vector>

#include "model/layers/kv_cache.h"
#include "torch/torch.h"

namespace lvrpo {

// The shape of a token's cached keys and values.
struct KvShape {
  int64_t layers = 0, kv_heads = 0, head_dim = 0;
};

// Keys and values of sequences that are decoded together, in memory allocated once: a table of slots of
// `capacity` tokens each. Entries are appended in place, and a finished sequence's slot is refilled with the
// next one's context at once. Not thread-safe.
class KvTable {
 public:
  KvTable(const KvShape& shape, int64_t slots, int64_t capacity, const torch::TensorOptions& options);
  // The table's size in bytes.
  static int64_t Bytes(const KvShape& shape, int64_t slots, int64_t capacity, torch::Dtype dtype);

  int64_t slots() const { return static_cast<int64_t>(lengths_.size()); }
  int64_t capacity() const { return capacity_; }
  // Copies a context of batch 1 without padding into a slot.
  void Fill(int64_t slot, const KvCache& context);
  // Copies slot `from` over slot `to`.
  void Move(int64_t from, int64_t to);

  // --- For the forward pass (model/layers/decoder.h): a decode step appends one token to each of the first
  // `rows` slots. BeginStep returns the tokens' positions, int64 [rows, 1]; then Attend for every layer, then
  // EndStep.
  torch::Tensor BeginStep(int64_t rows);
  // Appends k and v [rows, Hkv, 1, head_dim] of a layer to each slot and attends with q [rows, heads, 1,
  // head_dim] to all of the slot's tokens: [rows, 1, heads * head_dim]. Without gradients.
  torch::Tensor Attend(size_t layer, const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v);
  // Makes the appended token part of each slot's past.
  void EndStep();

 private:
  torch::Tensor AttendByKernel(size_t layer, const torch::Tensor& q, const torch::Tensor& k,
                               const torch::Tensor& v);

  const int64_t capacity_;
  std::vector<torch::Tensor> keys_, values_;  // per layer [slots, Hkv, capacity, head_dim]
  std::vector<int64_t> lengths_, positions_;  // tokens, and the next token's position, of each slot
  // State of the current decode step.
  int64_t step_rows_ = 0, step_longest_ = 0;
  torch::Tensor step_lengths_;  // past tokens of each slot, int64 [rows, 1, 1, 1]
  torch::Tensor step_mask_;     // keys attended to, bool [rows, 1, longest + 1]; undefined: all
};

}  // namespace lvrpo
