#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "proto/lvrpo/v1/config.pb.h"
#include "reward_server/scoring/scoring.h"

namespace lvrpo {

// The prompts by which a server is warmed up: of the run's first image and first text file, for each scorer
// the first that it applies to; fewer when files hold none or cannot be read.
std::vector<v1::PromptRecord> WarmUpPrompts(const v1::DataConfig& data, const ScorerSet& scorers);

struct WarmUpReport {
  std::vector<std::string> problems;  // in one line each; nothing that a request could not meet too
  // FailedPrecondition, in the scorer's words, when one that counts refuses what it is asked for good:
  // nothing could be scored here.
  absl::Status refused;
};

// Scores `samples` made-up samples of each prompt, an image of noise or a word, and throws the scores away:
// memory is touched, kernels are chosen for their shapes, readers are loaded and remote scorers called before
// the first request comes.
WarmUpReport WarmUp(ScorerSet& scorers, const std::vector<v1::PromptRecord>& prompts, int samples);

}  // namespace lvrpo
