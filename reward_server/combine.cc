#include "reward_server/combine.h"

#include <cmath>

namespace lvrpo {

std::map<std::string, double> ComponentWeights(const v1::RewardConfig& config) {
  std::map<std::string, double> weights = {{"grounding", config.grounding_weight()},
                                           {"instruction", config.instruction_weight()},
                                           {"knowledge", config.knowledge_weight()},
                                           {"exact_match", 1.0}};
  std::erase_if(weights, [](const auto& entry) { return entry.second == 0; });
  return weights;
}

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
