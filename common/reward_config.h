#pragma once

#include <string>

#include "common/config_problems.h"
#include "proto/lvrpo/v1/config.pb.h"

namespace lvrpo {

// Whether an address is one of HTTP ("http://..." or "https://..."), and not of gRPC ("host:port").
bool IsHttpAddress(const std::string& address);

// What is wrong with the reward section.
void CheckReward(const v1::RewardConfig& reward, ConfigProblems& problems);

}  // namespace lvrpo
