#pragma once

#include <cstdint>

#include "absl/time/time.h"
#include "coordinator/scaling/pool_size.h"
#include "coordinator/state/blocker.h"

namespace lvrpo {

// What the sizes of the pools depend on, at one moment of a run.
struct RunNow {
  absl::Time now = {};
  bool learner_is_here = false;
  bool ends = false;  // it drains, has finished, or cannot go on
  bool held = false;  // its records cannot be written now
  Blocker::Kind waits_for = Blocker::Kind::kNothing;
  int64_t step = 0;           // committed
  int64_t groups_wanted = 0;  // that workers may begin: planned, and what the staleness leaves room for
  int64_t leased = 0;         // that they work on
  int64_t workers = 0, busy_workers = 0, reward_servers = 0;
  double scoring = 0;  // groups that reward servers have, as they report
};

struct PoolSizes {
  bool known = false;  // false: soon after a start, before the members have come back
  int64_t rollout = 0, reward = 0;
};

// How many members each pool should have, so that the learner hardly waits and hardly a member idles: decided
// once a step (and at least half a minute apart) by NextSize. 0 while nobody needs the pool, never less than
// 1 while somebody does. Pure, but for what it remembers; not thread-safe.
class PoolSizer {
 public:
  // Called several times a second.
  PoolSizes Update(const RunNow& run);

 private:
  struct Pool {
    int64_t wanted = 0;
    bool decided = false;  // until then: the members that are there
    // A size that was too small is not gone back to for a while.
    int64_t too_small = 0;
    absl::Time found = absl::InfinitePast();
    // Of the stretch that is being measured.
    int64_t members = 0, work = 0;
    double busy = 0, busy_time = 0, lacking = 0, waited_for = 0;  // integrals over seconds

    void Restart(int64_t members_now);
  };

  void Restart(const RunNow& run);
  void Measure(const RunNow& run, double seconds);
  void Decide(const RunNow& run);
  static PoolStretch StretchOf(const Pool& pool, double seconds, double full_load);
  static void Apply(const PoolStretch& stretch, absl::Time now, Pool& pool);

  absl::Time begun_ = absl::InfinitePast(), last_ = absl::InfinitePast();
  double measured_ = 0;  // seconds
  int64_t step_ = 0;     // when the stretch began
  bool settles_ = true;  // it began within a step, after a change: whole steps are measured from the next one
  Pool rollout_, reward_;
};

}  // namespace lvrpo
