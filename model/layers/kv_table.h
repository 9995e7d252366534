#pragma once

#include <cstdint>
#include <vector>

#include "model/layers/kv_cache.h"
#include "torch/torch.h"

namespace lvrpo {

// What a token leaves in a cache.
struct KvShape {
  int64_t layers = 0, kv_heads = 0, head_dim = 0;
};

// Keys and values of sequences that are decoded together, in memory taken once: a table of slots, each with
// room for `capacity` entries. A finished sequence's slot is filled with the next one's context at once;
// nothing is concatenated while sequences grow. Not thread-safe.
class KvTable {
 public:
  KvTable(const KvShape& shape, int64_t slots, int64_t capacity, const torch::TensorOptions& options);
  // What the table takes, in bytes.
  static int64_t Bytes(const KvShape& shape, int64_t slots, int64_t capacity, torch::Dtype dtype);

  int64_t slots() const { return static_cast<int64_t>(lengths_.size()); }
  int64_t capacity() const { return capacity_; }
  // Puts a context of batch 1 whose entries all count into a slot.
  void Fill(int64_t slot, const KvCache& context);
  // Slot `to` becomes what slot `from` is.
  void Move(int64_t from, int64_t to);

  // --- For the forward pass (model/layers/decoder.h): a step puts one new token into each of the first
  // `rows` slots. BeginStep gives the tokens' positions, int64 [rows, 1]; then Attend for every layer, then
  // EndStep.
  torch::Tensor BeginStep(int64_t rows);
  // Puts k and v [rows, Hkv, 1, head_dim] of a layer behind each slot's entries, and lets q [rows, heads, 1,
  // head_dim] attend to all of its slot's: [rows, 1, heads * head_dim]. Without gradients.
  torch::Tensor Attend(size_t layer, const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v);
  // The new entries of all layers count from here on.
  void EndStep();

 private:
  torch::Tensor AttendByKernel(size_t layer, const torch::Tensor& q, const torch::Tensor& k,
                               const torch::Tensor& v);

  const int64_t capacity_;
  std::vector<torch::Tensor> keys_, values_;  // per layer [slots, Hkv, capacity, head_dim]
  std::vector<int64_t> lengths_, positions_;  // entries, and the next token's position, of each slot
  // Of the step at hand.
  int64_t step_rows_ = 0, step_longest_ = 0;
  torch::Tensor step_lengths_;  // entries of its slots, int64 [rows, 1, 1, 1]
  torch::Tensor step_mask_;     // which keys each sees, bool [rows, 1, longest + 1]; undefined: all of them
};

}  // namespace lvrpo
