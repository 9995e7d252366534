#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "model/bagel_config.h"
#include "policy/prompt_source.h"
#include "proto/lvrpo/v1/config.pb.h"
#include "proto/lvrpo/v1/trajectory.pb.h"

// Whether trajectories can be trained on. They come over the network: each size is compared with the run's
// own before anything is made of it, each number must be finite and of a size that honest sampling gives.
namespace lvrpo {

// Latents are about 1 in size and log-probs below 100; beyond these nothing honest lies, and squares stay far
// from the end of fp32.
inline constexpr float kLargestLatent = 1e4f;
inline constexpr double kLargestLogProb = 1e5;

// InvalidArgument says what is wrong with the group, by its ordinal. Safe for any bytes that parse.
absl::Status CheckGroup(const v1::TrajectoryGroup& group, const v1::RunConfig& config,
                        const BagelConfig& model);

// InvalidArgument unless the group answers `own`, the run's prompt of its ordinal: record, tokens and source
// image. What another prompt's samples would teach is another reward's.
absl::Status CheckPrompt(const v1::TrajectoryGroup& group, const PromptSource::Prompt& own);

// Bytes that no group of this run needs more than.
int64_t LargestGroupBytes(const v1::RunConfig& config, const BagelConfig& model);

}  // namespace lvrpo
