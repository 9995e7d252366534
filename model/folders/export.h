#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/config/router_config.h"
#include "model/weights/checkpoint_writer.h"
#include "model/weights/stored_weights.h"

namespace lvrpo {

struct ExportOptions {
  // Of the written policy; nullopt: each tensor as the base stores it.
  std::optional<torch::Dtype> dtype = {};
  int64_t max_shard_bytes = 0;  // 0: one ema.safetensors
  // Folder of LoRA adapters as PEFT writes them (model/weights/lora_file.h), merged into their layers; empty:
  // none.
  std::string adapter = {};
  // Instead of the base's hard routing (model/expert_seed.h); the gate's weights come from the seed.
  RouterConfig router = {};
  uint64_t router_seed = 0;
};

// Writes a model folder in the published layout: the base folder's policy with `trained` tensors in place of
// its own, cast to the base's or the asked dtype, and the base's settings, tokenizer and autoencoder as they
// are. Streams: neither model is ever whole in memory. What the base stores and BAGEL does not use (unused
// layers of the vision tower) is left out.
// InvalidArgument when a router cannot be had, or the base has one already.
// DataLoss when a trained tensor has no place in the base or another shape, all named (one common prefix of
// their names is taken off), or when a value to be written is not finite; FailedPrecondition
// when `folder` exists; and what OpenBagelFolder says about the base.
absl::Status ExportBagel(const std::string& base, const std::vector<TensorSource>& trained,
                         const std::string& folder, const ExportOptions& options = {});
absl::Status ExportBagel(const std::string& base, const TensorMap& trained, const std::string& folder,
                         const ExportOptions& options = {});
absl::Status ExportBagel(const std::string& base, const StoredWeights& trained, const std::string& folder,
                         const ExportOptions& options = {});

// Opens the trained tensors of a run. `path`: a safetensors file; a checkpoint folder, whose
// policy.safetensors must have the SHA-256 that its manifest.json says; a run folder, of which the newest
// checkpoint is taken; or a model folder, whole or with the tensors alone that were trained. NotFound when
// there is none, DataLoss when it is damaged.
absl::StatusOr<StoredWeights> OpenTrainedWeights(const std::string& path);

// Where the trained tensors are LoRA adapters, the folder beside them that has them in PEFT's form with their
// settings; "" for other tensors. NotFound when it is not there.
absl::StatusOr<std::string> AdapterOf(const StoredWeights& trained);

}  // namespace lvrpo
