#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "proto/lvrpo/v1/config.pb.h"
#include "reward_server/scoring/scoring.h"

namespace lvrpo {

// The prompts that warm up a server: for each scorer the first prompt of the run's first image and text files
// that it applies to; fewer when there are none or the files cannot be read.
std::vector<v1::PromptRecord> WarmUpPrompts(const v1::DataConfig& data, const ScorerSet& scorers);

struct WarmUpReport {
  std::vector<std::string> problems;  // one line each; the same may happen to a request
  // FailedPrecondition, with the scorer's message, when a scorer with a weight fails permanently: nothing
  // could be scored here.
  absl::Status refused;
};

// Scores a group of dummy samples of each prompt, noise images in the size of the run's or a word, and
// discards the scores: memory is touched, kernels are selected for their shapes, text recognisers are loaded
// and remote scorers called before the first request.
WarmUpReport WarmUp(ScorerSet& scorers, const std::vector<v1::PromptRecord>& prompts,
                    const v1::RolloutConfig& rollout);

}  // namespace lvrpo
