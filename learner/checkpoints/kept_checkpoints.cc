#include "learner/checkpoints/kept_checkpoints.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace lvrpo {

std::optional<double> RewardOf(const v1::CheckpointRecord& record) {
  return record.has_reward() ? std::optional(record.reward()) : std::nullopt;
}

std::set<int64_t> KeptCheckpoints(const CheckpointRewards& recorded, const v1::KeepConfig& keep) {
  std::set<int64_t> kept;
  const size_t last = static_cast<size_t>(std::max(1, keep.last()));
  for (auto entry = recorded.rbegin(); entry != recorded.rend() && kept.size() < last; ++entry)
    kept.insert(entry->first);
  std::vector<std::pair<double, int64_t>> by_reward;
  for (const auto& [step, reward] : recorded) {
    if (keep.every() > 0 && step % keep.every() == 0) kept.insert(step);
    if (reward.has_value()) by_reward.emplace_back(*reward, step);
  }
  std::sort(by_reward.rbegin(), by_reward.rend());
  for (size_t i = 0; i < by_reward.size() && i < static_cast<size_t>(std::max(0, keep.best())); ++i)
    kept.insert(by_reward[i].second);
  return kept;
}

}  // namespace lvrpo
