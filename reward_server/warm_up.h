#pragma once

#include <string>
#include <vector>

#include "proto/lvrpo/v1/config.pb.h"
#include "reward_server/scoring.h"

namespace lvrpo {

// The first image and the first text prompt of a run, by which a server is warmed up; fewer when files hold
// none or cannot be read.
std::vector<v1::PromptRecord> FirstPrompts(const v1::DataConfig& data);

// Scores `samples` made-up samples of each prompt, an image of noise or a word, and throws the scores away:
// memory is touched, kernels are chosen for their shapes, readers are loaded and remote scorers called before
// the first request comes. What went wrong, in one line each; nothing that a request could not meet too.
std::vector<std::string> WarmUp(ScorerSet& scorers, const std::vector<v1::PromptRecord>& prompts,
                                int samples);

}  // namespace lvrpo
