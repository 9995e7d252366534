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
};
// What the run's prompts and settings allow.
LearnerLoad LearnerLoadOf(const v1::RunConfig& config, const BagelConfig& model, const PromptSource& prompts);

// With prompts of 128 tokens, images of rollout.image_size, and questions about images as large as the vision
// tower takes. InvalidArgument when the model cannot paint that size.
absl::StatusOr<LearnerLoad> AssumedLoad(const v1::RunConfig& config, const BagelConfig& model);

// What a rank of `ranks` learner ranks needs while it takes steps (rank 0 has the most to keep): by
// arithmetic, nothing is allocated. Weights and state are exact; activations follow the operations of a layer
// (model/layers/decoder_layer.cc), one of which is recomputed at a time when the run is sharded. Loading
// needs the whole model besides. Measured: docs/benchmarks.md.
RoleMemory PlanLearner(const v1::RunConfig& config, const BagelConfig& model, const LearnerLoad& load,
                       int64_t ranks, int64_t rank = 0);

// FailedPrecondition, in one sentence that names the largest part, when `needed` is more than the `machine`
// has (MachineMemory), if that is known.
absl::Status CheckMemory(const RoleMemory& needed, std::optional<int64_t> machine);

}  // namespace lvrpo
