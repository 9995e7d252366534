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
  // The written policy's dtype; nullopt: each tensor's in the base.
  std::optional<torch::Dtype> dtype = {};
  int64_t max_shard_bytes = 0;  // 0: one ema.safetensors
  // Folder of LoRA adapters as PEFT writes them (model/weights/lora_file.h), merged into their layers; empty:
  // none.
  std::string adapter = {};
  // Replaces the base's hard routing (model/expert_seed.h); the gate's weights come from the seed.
  RouterConfig router = {};
  uint64_t router_seed = 0;
};

// Writes a model folder in the published layout: the base folder's policy with `trained` tensors replacing
// its own, cast to the base's or the requested dtype, and the base's settings, tokenizer and autoencoder
// unchanged. Streams: neither model is ever whole in memory. Tensors that BAGEL does not use (unused layers
// of the vision tower) are left out. InvalidArgument when the router's settings are invalid, or the base has
// a router already. DataLoss names all trained tensors that the base does not have or has in another shape
// (one common prefix of their names is ignored), or when a value to be written is not finite;
// FailedPrecondition when `folder` exists; and OpenBagelFolder's errors for the base.
absl::Status ExportBagel(const std::string& base, const std::vector<TensorSource>& trained,
                         const std::string& folder, const ExportOptions& options = {});
absl::Status ExportBagel(const std::string& base, const TensorMap& trained, const std::string& folder,
                         const ExportOptions& options = {});
absl::Status ExportBagel(const std::string& base, const StoredWeights& trained, const std::string& folder,
                         const ExportOptions& options = {});

// Opens the trained tensors of a run. `path`: a safetensors file; a checkpoint folder, whose
// policy.safetensors must match the SHA-256 in its manifest.json; a run folder, of which the newest
// checkpoint is taken; or a model folder, whole or with the tensors alone that were trained. NotFound when
// there is none, DataLoss when it is damaged.
absl::StatusOr<StoredWeights> OpenTrainedWeights(const std::string& path);

// If the trained tensors are LoRA adapters, the folder next to them with the same adapters in PEFT's form and
// their settings; "" for other tensors. NotFound when it is missing.
absl::StatusOr<std::string> AdapterOf(const StoredWeights& trained);

}  // namespace lvrpo
