#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/layers/decoder.h"
#include "model/layers/kv_cache.h"
#include "model/qwen2_config.h"
#include "model/weights/stored_weights.h"
#include "model/weights/weights.h"

namespace lvrpo {

// A Qwen2 or Qwen2.5 language model (transformers:models/qwen2), functional over named tensors (the names of
// its model.safetensors), so that gradients reach whichever of them require grad. Computes in the dtype of
// its weights. Copies share the tensors. Thread-safe while nobody changes the tensors.
//
// BAGEL's language model is this one with QK-norm and a second expert per layer (model/bagel.h).
class Qwen2 : public TextDecoder {
 public:
  // DataLoss when the tensors do not fit the configuration or are not all of one dtype.
  static absl::StatusOr<Qwen2> Create(Qwen2Config config, TensorMap tensors, const std::string& source);
  // Reads config.json and model.safetensors, or its shards, of a published folder. Names the model's type
  // when the folder holds another one. With options.dtype nullopt the dtype is that of the stored weights.
  static absl::StatusOr<Qwen2> Load(const std::string& folder, const WeightReadOptions& options = {});
  // Without lm_head.weight when the embeddings are tied.
  static ShapeMap ExpectedTensors(const Qwen2Config& config);
  static TensorMap RandomInit(const Qwen2Config& config, uint64_t seed);

  // Appends tokens int64 [B, T] to a cache, causally, and returns their hidden states after the final norm,
  // [B, T, H], on the weights' device; ids and `real` may be in the host's memory. `real`: bool or int [B,
  // T], 0 where a token is padding (on either side); undefined: none is. Positions count real tokens; padding
  // is masked, and its own hidden states are undefined.
  torch::Tensor Append(KvCache& cache, const torch::Tensor& ids, const torch::Tensor& real = {}) const;
  // Appends one token, ids int64 [R], to each of the first R slots: hidden after the final norm, [R, H].
  torch::Tensor DecodeTokens(KvTable& table, const torch::Tensor& ids) const override;
  torch::Tensor Logits(const torch::Tensor& hidden) const override;  // [..., H] -> fp32 [..., V]
  KvTable MakeKvTable(int64_t slots, int64_t capacity) const override;
  int64_t SlotBytes(int64_t capacity) const override;

  const Qwen2Config& config() const { return config_; }
  const TensorMap& tensors() const { return tensors_; }

 private:
  Qwen2(Qwen2Config config, TensorMap tensors);

  Qwen2Config config_;
  TensorMap tensors_;
  Decoder decoder_;
  FusedLinear head_;
};

}  // namespace lvrpo
