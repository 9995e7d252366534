#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"

namespace lvrpo {

// How many members of the pools keep a learner busy, from what a run measured. Pure but for WritePlan's file.
struct ReplicaPlan {
  int64_t steps = 0;           // that were measured
  double learner_seconds = 0;  // of a step, without waiting for groups
  double waited_seconds = 0;   // of a step
  double rollout_seconds = 0;  // that workers spent on a step's groups, summed over workers
  double reward_seconds = 0;   // that groups were with reward servers, summed over groups
  int64_t rollout = 1, reward = 1;
};

// Of the newest steps (100 at most, without the first ones) of metrics.jsonl. NotFound: they have no such
// figures.
absl::StatusOr<ReplicaPlan> PlanReplicas(const std::vector<nlohmann::json>& steps);

nlohmann::json ReplicaPlanJson(const ReplicaPlan& plan);
std::string FormatReplicaPlan(const ReplicaPlan& plan);

// `lvrpo replicas RUN`.
absl::Status ShowReplicas(const std::string& run_dir, bool json);

}  // namespace lvrpo
