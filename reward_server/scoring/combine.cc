#include "reward_server/scoring/combine.h"

#include <cmath>

namespace lvrpo {

CombinedReward Combine(const std::map<std::string, double>& weights,
                       const std::vector<v1::ComponentScore>& scores) {
  double sum = 0, total_weight = 0;
  for (const v1::ComponentScore& score : scores) {
    const auto weight = weights.find(score.name());
    if (weight == weights.end()) continue;
    if (score.outcome() != v1::ComponentScore::OK || !std::isfinite(score.score())) return {};
    sum += weight->second * score.score();
    total_weight += weight->second;
  }
  if (total_weight == 0) return {};
  return {.reward = static_cast<float>(sum / total_weight), .complete = true};
}

}  // namespace lvrpo
