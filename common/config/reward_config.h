#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "common/config/config_problems.h"
#include "proto/lvrpo/v1/config.pb.h"
#include "proto/lvrpo/v1/prompt.pb.h"

namespace lvrpo {

// Whether an address is one of HTTP ("http://..." or "https://..."), and not of gRPC ("host:port").
bool IsHttpAddress(const std::string& address);

// Whether an external scorer is asked about prompts of this task.
bool AppliesToTask(const v1::ExternalScorerConfig& external, v1::TaskKind task);

// Component name -> weight of paper equation 5, R = l1 R_sem + l2 R_ins + l3 R_know, and of external scorers;
// exact_match has weight 1 for text tasks. Components of weight 0 are absent.
std::map<std::string, double> ComponentWeights(const v1::RewardConfig& config);

// The same after `steps` optimizer steps, by reward.schedule; with weights of 0.
std::map<std::string, double> ScheduledWeights(const v1::RewardConfig& config, int64_t steps);

// Components and guards that are logged but not part of R.
std::set<std::string> LoggedNames(const v1::RewardConfig& config);

// What is wrong with the reward section.
void CheckReward(const v1::RewardConfig& reward, ConfigProblems& problems);

}  // namespace lvrpo
