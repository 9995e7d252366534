#pragma once

#include <map>
#include <string>

#include "absl/time/time.h"
#include "coordinator/scaling/pool_sizer.h"

namespace lvrpo {

// How much the pools worked for a step, for `lvrpo replicas`: figures of the step beside the learner's own.
// Not thread-safe.
class PoolUse {
 public:
  // Called several times a second.
  void Add(const RunNow& run);
  // Seconds that workers spent on groups, and that groups were with reward servers, summed over members:
  // "seconds_rollout_busy", "seconds_reward_busy". Empty while nothing has been measured.
  std::map<std::string, double> Figures() const;
  // A step was committed: the next one is measured.
  void Restart() { rollout_ = reward_ = 0; }

 private:
  absl::Time last_ = absl::InfinitePast();
  double rollout_ = 0, reward_ = 0;
};

}  // namespace lvrpo
