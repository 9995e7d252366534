#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "algorithm/advantages.h"
#include "learner/step/step_figures.h"
#include "learner/step/training_group.h"
#include "proto/lvrpo/v1/config.pb.h"

namespace lvrpo {

// InvalidArgument for a scale or an aggregation that does not exist.
absl::StatusOr<AdvantageOptions> AdvantageOptionsOf(const v1::TrainConfig& train);

// Advantages [G] of each of the step's groups of one task, which all have as many samples, in the step after
// `steps` others. They are of the samples' rewards; with a schedule of weights, of the weighted means of
// their components; with "gdpo", of the components. Adds the rewards, their components and the logged scores
// to `sums`.
std::vector<torch::Tensor> StepAdvantages(const std::vector<const TrainingGroup*>& groups,
                                          const AdvantageOptions& options, const v1::RewardConfig& reward,
                                          int64_t steps, StepSums& sums);

}  // namespace lvrpo
