#pragma once

#include "common/config/config_problems.h"
#include "proto/lvrpo/v1/config.pb.h"

namespace lvrpo {

// What is wrong with the settings of what is learned: the window, losses, KL terms, corrections and
// advantages. Combinations that mean nothing are refused.
void CheckObjective(const v1::RunConfig& config, ConfigProblems& problems);

}  // namespace lvrpo
