#include "coordinator/state/consequence.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <utility>

namespace lvrpo {

Outcome OfReturn(v1::ReturnReason reason) {
  switch (reason) {
    case v1::RETURN_REWARD_FAILED:
      return {Consequence::kFail, v1::RETIRE_REWARD_FAILED};
    case v1::RETURN_BAD_PROMPT:
      return {Consequence::kRetire, v1::RETIRE_BAD_PROMPT};
    default:
      return {};
  }
}

Consequence OfFault(v1::RetireReason reason) {
  switch (reason) {
    case v1::RETIRE_ZERO_VARIANCE:
    case v1::RETIRE_BAD_PROMPT:
    case v1::RETIRE_NO_REWARD:
      return Consequence::kRetire;
    case v1::RETIRE_STALE:
      return Consequence::kPlanAgain;
    default:
      return Consequence::kFail;
  }
}

v1::RetireReason SamplesFault(const google::protobuf::RepeatedPtrField<v1::SampleSummary>& samples) {
  for (const v1::SampleSummary& sample : samples) {
    if (sample.scores().empty()) return v1::RETIRE_NO_REWARD;
    if (!std::isfinite(sample.reward())) return v1::RETIRE_REWARD_NOT_FINITE;
    for (const v1::ComponentScore& score : sample.scores()) {
      if (score.outcome() == v1::ComponentScore::INVALID_INPUT) return v1::RETIRE_BAD_PROMPT;
      if (score.outcome() != v1::ComponentScore::OK) return v1::RETIRE_REWARD_FAILED;
      if (!std::isfinite(score.score())) return v1::RETIRE_REWARD_NOT_FINITE;
    }
  }
  return v1::RETIRE_UNSPECIFIED;
}

bool HasZeroVariance(const google::protobuf::RepeatedPtrField<v1::SampleSummary>& samples) {
  std::map<std::string, std::pair<float, float>> range;
  for (const v1::SampleSummary& sample : samples) {
    for (const v1::ComponentScore& score : sample.scores()) {
      auto [entry, fresh] = range.try_emplace(score.name(), score.score(), score.score());
      entry->second.first = std::min(entry->second.first, score.score());
      entry->second.second = std::max(entry->second.second, score.score());
    }
  }
  return std::all_of(range.begin(), range.end(),
                     [](const auto& entry) { return entry.second.second - entry.second.first <= 1e-6f; });
}

}  // namespace lvrpo
