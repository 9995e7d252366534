#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "model/bagel_config.h"
#include "model/kv_cache.h"
#include "torch/torch.h"

namespace lvrpo {

// Keys and values of sequences that are decoded together, in memory taken once: a table of slots, each with
// room for `capacity` entries. A finished sequence's slot is filled with the next one's context at once;
// nothing is concatenated while sequences grow. Not thread-safe.
class KvSlots {
 public:
  KvSlots(const BagelConfig& config, int64_t slots, int64_t capacity, const torch::TensorOptions& options);
  // What the table takes, in bytes.
  static int64_t Bytes(const BagelConfig& config, int64_t slots, int64_t capacity, torch::Dtype dtype);

  int64_t slots() const { return static_cast<int64_t>(lengths_.size()); }
  int64_t capacity() const { return capacity_; }
  // Puts a context of batch 1 whose entries all count into a slot.
  void Fill(int64_t slot, const KvCache& context);
  // Slot `to` becomes what slot `from` is.
  void Move(int64_t from, int64_t to);

  // --- For the forward pass (Bagel::DecodeTokens): a step puts one new token into each of the first `rows`
  // slots. BeginStep, then Append for every layer, then EndStep.
  struct Step {
    torch::Tensor positions;  // of each token, int64 [rows, 1]
    torch::Tensor mask;       // which keys each sees, bool [rows, 1, longest + 1]; undefined: all of them
  };
  Step BeginStep(int64_t rows);
  // Puts k and v [rows, Hkv, 1, head_dim] of a layer behind each slot's entries; gives the layer's keys and
  // values up to the longest slot, views [rows, Hkv, longest + 1, head_dim].
  std::pair<torch::Tensor, torch::Tensor> Append(size_t layer, const torch::Tensor& k,
                                                 const torch::Tensor& v);
  // The new entries of all layers count from here on.
  void EndStep();

 private:
  const int64_t capacity_;
  std::vector<torch::Tensor> keys_, values_;  // per layer [slots, Hkv, capacity, head_dim]
  std::vector<int64_t> lengths_, positions_;  // entries, and the next token's position, of each slot
  // Of the step at hand: entries of its slots, int64 [rows, 1, 1, 1], and the most.
  torch::Tensor step_lengths_;
  int64_t step_longest_ = 0;
};

}  // namespace lvrpo
