#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "model/bagel_config.h"
#include "policy/prompt_source.h"
#include "proto/lvrpo/v1/config.pb.h"
#include "proto/lvrpo/v1/trajectory.pb.h"

// Whether trajectories are usable. They come over the network: each size is compared with the run's own
// before anything is allocated, each value must be finite and in the range of honest sampling.
namespace lvrpo {

// Latents are about 1 in size and log-probs below 100. No honest value exceeds these bounds, and their
// squares stay far from fp32's overflow.
inline constexpr float kLargestLatent = 1e4f;
inline constexpr double kLargestLogProb = 1e5;

// InvalidArgument says what is wrong with the group, by its ordinal. Safe for any bytes that parse.
absl::Status CheckGroup(const v1::TrajectoryGroup& group, const v1::RunConfig& config,
                        const BagelConfig& model);

// InvalidArgument unless the group answers `own`, the run's prompt of its ordinal: record, tokens and source
// image. Samples of another prompt would be trained with the wrong reward.
absl::Status CheckPrompt(const v1::TrajectoryGroup& group, const PromptSource::Prompt& own);

// Upper bound on the bytes of a group of this run.
int64_t LargestGroupBytes(const v1::RunConfig& config, const BagelConfig& model);

}  // namespace lvrpo
