#include "coordinator/scaling/pool_use.h"

#include <algorithm>

namespace lvrpo {

void PoolUse::Add(const RunNow& run) {
  constexpr double kLongestGap = 1;  // seconds
  const double seconds = std::clamp(absl::ToDoubleSeconds(run.now - last_), 0., kLongestGap);
  if (last_ != absl::InfinitePast()) {
    rollout_ += seconds * static_cast<double>(run.busy_workers);
    reward_ += seconds * run.scoring;
  }
  last_ = run.now;
}

std::map<std::string, double> PoolUse::Figures() const {
  if (rollout_ == 0) return {};
  return {{"seconds_rollout_busy", rollout_}, {"seconds_reward_busy", reward_}};
}

}  // namespace lvrpo
