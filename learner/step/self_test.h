#pragma once

#include "absl/status/statusor.h"
#include "learner/step/objective.h"
#include "model/bagel.h"
#include "proto/lvrpo/v1/config.pb.h"
#include "trajectory/sampled_group.h"

namespace lvrpo {

// Groups that `policy` samples here as the run samples its own, of a small image: for tests of the policy
// itself, not for training. Deterministic. Errors of GenerateText.
SampledGroup OwnImages(const Bagel& policy, const v1::RunConfig& config);
absl::StatusOr<SampledGroup> OwnTexts(const Bagel& policy, const v1::RunConfig& config);

// The largest differences between log-probs as they were sampled and as they are evaluated again, of a group
// of the policy's own.
struct SelfTestResult {
  double image = 0;  // 0 on the CPU: what keeps first ratios exactly 1
  double text = 0;   // sampled token by token and evaluated in one pass, so the last bits differ
};
// 0 for a task that is not tested. Errors of OwnTexts.
absl::StatusOr<SelfTestResult> TestOwnLogProbs(const Policies& models, const ObjectiveSettings& settings,
                                               const v1::RunConfig& config, bool images, bool texts);

}  // namespace lvrpo
