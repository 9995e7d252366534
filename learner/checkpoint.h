#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "learner/checkpoints/checkpoint_parts.h"
#include "model/weights/lora.h"
#include "model/weights/weights.h"

namespace lvrpo {

// A checkpoint folder: policy.safetensors (the trained tensors, fp32), optimizer.safetensors, and
// manifest.json with the SHA-256 of all files. It gets its name only when it is complete.
//
// Ranks that are sharded write the optimizers' state in parts, optimizer-00000-of-00004.safetensors and so
// on: pieces of tensors (learner/copies/state_slices.h), which are put together when the checkpoint is
// loaded, by any number of ranks. Rank 0 writes part 0 and everything else (checkpoints/checkpoint_parts.h).
struct Checkpoint {
  int64_t step = 0;            // committed steps it holds
  std::string weights_digest;  // of the policy version (weight_plane/weight_buckets.h)
  std::string config_digest;
  TensorMap weights, optimizer;
  // Which part of the state `optimizer` is, to be written; it is all of it when there is one. Not read back.
  int part = 0, parts = 1;
  std::string made_by;  // with parts: what tells the ranks that write them apart from earlier ones
  // Adapters' settings, when `weights` are adapters; also written as PEFT's files, to the folder adapter/.
  // Not read back: the run's configuration has them.
  std::optional<LoraConfig> lora;
  std::string base_model;  // what the adapters' file calls the base model
};

// Returns the digest of the checkpoint: SHA-256 of its manifest.
// With several parts `checkpoint` is part 0; DeadlineExceeded: another did not come.
absl::StatusOr<std::string> SaveCheckpoint(const std::string& folder, const Checkpoint& checkpoint,
                                           const PartsPatience& patience = {});
// Writes another part than 0 of it, for the rank that saves the checkpoint.
absl::Status SavePart(const std::string& folder, const Checkpoint& checkpoint);

// DataLoss when a file is damaged or `digest` is not the folder's; FailedPrecondition when another version of
// the program wrote it.
absl::StatusOr<Checkpoint> LoadCheckpoint(const std::string& folder, const std::string& digest);

}  // namespace lvrpo
