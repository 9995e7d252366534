#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "data/tokenizer/tokenizer.h"
#include "model/bagel.h"
#include "proto/lvrpo/v1/config.pb.h"

// What a rollout worker and a learner must agree on before they work together, and how both read the
// settings.
namespace lvrpo {

// Name -> digest of the schedule, the sampler's settings, the tokenizer, the model's structure and its base
// weights (untrained tensors are never transferred). With max_staleness 0, where a run's bits must not depend
// on who samples, also how this processor's GEMM rounds.
std::map<std::string, std::string> WorkContract(const v1::RunConfig& config, const Bagel& base,
                                                const Tokenizer& tokenizer);

// Whether the run has image (text) groups at all.
bool UsesImages(const v1::RunConfig& config);
bool UsesText(const v1::RunConfig& config);

// What the run trains and transfers of a policy that has these tensors (RunPolicyShapes), by task. With
// train.lora the adapters of the layers that a task's patterns match. FailedPrecondition when a pattern list
// that is used matches nothing, or both match one tensor.
struct TrainedNames {
  std::set<std::string> image, text;
};
absl::StatusOr<TrainedNames> SelectTrainedNames(const v1::RunConfig& config, const ShapeMap& tensors);

// The same tensors of `base`.
struct TrainedTensors {
  TensorMap image, text;
  TensorMap All() const;
};
absl::StatusOr<TrainedTensors> SelectTrainedTensors(const v1::RunConfig& config, const Bagel& base);

}  // namespace lvrpo
