#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "learner/step/group_work.h"
#include "learner/step/objective.h"
#include "learner/step/task_optimizers.h"
#include "model/weights/weights.h"

namespace lvrpo {

// The sum of all their numbers, in float64 and in name order: not finite when any of them is not.
double SumOf(const TensorMap& tensors);

// Whether groups that the policy samples itself have finite gradients: OutOfRange when they, or the trained
// weights, whose sum is `weights`, have not; other errors are this machine's. Leaves no gradients.
absl::Status ProbePolicy(const Policies& models, const ObjectiveSettings& settings,
                         const v1::RunConfig& config, double weights, GroupWork& work,
                         TaskOptimizers& optimizers);

// Groups by their place in the step, and why they cannot be trained on.
using UnusableGroups = std::map<size_t, std::string>;

// Which groups a step must be made without, by what Judge() (learner/step/verdict.h) makes of the same
// arguments. None: the policy itself is at fault. ResourceExhausted: the machine is.
absl::StatusOr<UnusableGroups> FindUnusable(const absl::Status& together,
                                            const std::vector<absl::Status>& alone,
                                            const absl::Status& policy);

}  // namespace lvrpo
