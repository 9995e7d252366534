#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "algorithm/advantages.h"
#include "learner/step/step_figures.h"
#include "learner/step/training_group.h"
#include "proto/lvrpo/v1/config.pb.h"

namespace lvrpo {

// InvalidArgument for an aggregation that does not exist.
absl::StatusOr<AdvantageOptions> AdvantageOptionsOf(const v1::TrainConfig& train);

// Advantages [G] of each of the step's groups of one task, which all have as many samples; components of
// "gdpo" have the weights of `reward`. Adds the rewards, their components and the logged scores to `sums`.
std::vector<torch::Tensor> StepAdvantages(const std::vector<const TrainingGroup*>& groups,
                                          const AdvantageOptions& options, const v1::RewardConfig& reward,
                                          StepSums& sums);

}  // namespace lvrpo
