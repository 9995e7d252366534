#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "model/bagel_config.h"
#include "policy/prompt_source.h"
#include "proto/lvrpo/v1/config.pb.h"
#include "proto/lvrpo/v1/trajectory.pb.h"
#include "trajectory/sampled_group.h"

// Trajectories on their way from a worker to the learner: the only place that knows how samples are laid out
// in the message. Functions are pure and thread-safe.
namespace lvrpo {

// What the groups of a run must agree with.
struct TrajectoryRules {
  v1::RunConfig config;
  BagelConfig model;
};

// Latents are about 1 in size and log-probs below 100. No honest value exceeds these bounds, and their
// squares stay far from fp32's overflow.
inline constexpr float kLargestLatent = 1e4f;
inline constexpr double kLargestLogProb = 1e5;

// The message of a group that answers `record`, sampled as `rollout` says. Equal groups give equal messages.
v1::TrajectoryGroup EncodeGroup(const SampledGroup& group, const v1::PromptRecord& record,
                                const v1::RolloutConfig& rollout);

// The group in a message. Safe for any bytes that parse: each size is compared with the run's own before
// anything of that size is allocated, and each value is read once, and must be finite and in the range
// of honest sampling.
//
// `own` is the run's prompt of the group's ordinal. InvalidArgument names the ordinal and what is wrong:
// another prompt's record, tokens or source image (its samples would be trained with the wrong reward),
// other settings, schedule or window than the run's, another image size than the prompt's, a task that the
// run does not train, wrong numbers of samples, latents, tokens or log-probs, a context beyond the model's
// longest.
absl::StatusOr<SampledGroup> ReadGroup(const v1::TrajectoryGroup& group, const PromptSource::Prompt& own,
                                       const TrajectoryRules& rules);

// Upper bound on the bytes of a group of this run.
int64_t LargestGroupBytes(const TrajectoryRules& rules, const PromptSource& prompts);

}  // namespace lvrpo
