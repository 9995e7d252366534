#pragma once

#include <map>
#include <string>
#include <vector>

#include "proto/lvrpo/v1/common.pb.h"

namespace lvrpo {

struct CombinedReward {
  float reward = 0;
  bool complete = false;  // every component that has a weight is OK; otherwise `reward` means nothing
};

// Weighted mean over the components present: sum(w_k r_k) / sum(w_k), so that the reward stays in [0, 1] when
// its components do, whatever the weights add up to.
CombinedReward Combine(const std::map<std::string, double>& weights,
                       const std::vector<v1::ComponentScore>& scores);

}  // namespace lvrpo
