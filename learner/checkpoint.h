#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/weights/lora.h"
#include "model/weights/weights.h"

namespace lvrpo {

// A checkpoint folder: policy.safetensors (the trained tensors, fp32), optimizer.safetensors, and
// manifest.json with the SHA-256 of all files. It gets its name only when it is complete.
struct Checkpoint {
  int64_t step = 0;            // committed steps it holds
  std::string weights_digest;  // of the policy version (weight_plane/weight_buckets.h)
  std::string config_digest;
  TensorMap weights, optimizer;
  // Adapters' settings, when `weights` are adapters; also written as PEFT's files, to the folder adapter/.
  // Not read back: the run's configuration has them.
  std::optional<LoraConfig> lora;
  std::string base_model;  // what the adapters' file calls the base model
};

// Returns the digest of the checkpoint: SHA-256 of its manifest.
absl::StatusOr<std::string> SaveCheckpoint(const std::string& folder, const Checkpoint& checkpoint);

// DataLoss when a file is damaged or `digest` is not the folder's; FailedPrecondition when another version of
// the program wrote it.
absl::StatusOr<Checkpoint> LoadCheckpoint(const std::string& folder, const std::string& digest);

}  // namespace lvrpo
