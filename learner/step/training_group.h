#pragma once

#include <vector>

#include "absl/status/status.h"
#include "proto/lvrpo/v1/coordinator.pb.h"
#include "trajectory/sampled_group.h"

namespace lvrpo {

// What a step trains on: a group's samples, as its trajectories say, with the scores that the coordinator
// recorded of them, one a slot.
struct TrainingGroup {
  SampledGroup trajectories;  // without samples, but of its task, where another rank has them
  std::vector<v1::SampleSummary> samples;
  int rank = 0;  // of the learner, that has the samples
};

// InvalidArgument unless each group has `group_size` summaries.
absl::Status CheckSummaries(const std::vector<TrainingGroup>& groups, int group_size);

}  // namespace lvrpo
