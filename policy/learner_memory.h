#pragma once

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/bagel_config.h"
#include "model/folders/memory_plan.h"
#include "policy/prompt_source.h"
#include "proto/lvrpo/v1/config.pb.h"

namespace lvrpo {

// The largest groups that a rank of the learner computes, in tokens. 0: there are none of the kind.
struct LearnerLoad {
  int64_t image_context = 0;  // of an image prompt, with its marker tokens
  int64_t image_tokens = 0;   // latent tokens of the largest image
  int64_t text_context = 0;   // of a question: its image, its text, marker tokens
  int64_t answer_tokens = 0;  // of the longest answer
  bool casts = false;  // the model's files hold another dtype than the run computes with (CastsWeights)
};
// What the run's prompts and settings allow.
LearnerLoad LearnerLoadOf(const v1::RunConfig& config, const BagelConfig& model, const PromptSource& prompts);

// With prompts of 128 tokens, images of rollout.image_size, questions about images as large as the vision
// tower takes, and files in bf16, as published. InvalidArgument when the model cannot paint that size, or has
// fewer positions than a context.
absl::StatusOr<LearnerLoad> AssumedLoad(const v1::RunConfig& config, const BagelConfig& model);

// What a rank of `ranks` learner ranks needs while it loads, takes steps and saves them (rank 0 has the most
// to keep): by arithmetic, nothing is allocated. Weights and state are exact; activations follow the
// operations of a layer (model/layers/decoder_layer.cc), one of which is recomputed at a time when the run is
// sharded. Groups are taken to be dealt evenly. Measured: docs/benchmarks.md. Errors of CountTensors.
absl::StatusOr<RoleMemory> PlanLearner(const v1::RunConfig& config, const BagelConfig& model,
                                       const LearnerLoad& load, int64_t ranks, int64_t rank = 0);

// FailedPrecondition, in one sentence that names the largest part, when what is `needed` of the host's memory
// is more than the `machine` has (MachineMemory), or of the device's than the `device`, where that is known.
absl::Status CheckMemory(const RoleMemory& needed, std::optional<int64_t> machine,
                         std::optional<int64_t> device = std::nullopt);

}  // namespace lvrpo
