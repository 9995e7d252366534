#pragma once

#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "coordinator/state/blocker.h"

// What a run waits for, when that has lasted too long, and when it is over: rules over snapshots. Pure.
namespace lvrpo {

// The members of one role.
struct PoolFacts {
  int members = 0;
  // One that says it cannot work; empty when none does.
  std::string complainer = {}, complaint = {};
  absl::Time complains_since = absl::InfinitePast();
  v1::Obstacle obstacle = v1::OBSTACLE_UNSPECIFIED;  // the kind of complaint
};

// Ranks of the learner in an operation of all of them.
struct SlowRankFacts {
  int waiting = 0;          // ranks that say they wait for others
  std::string member = {};  // one that does not; empty: all wait
  absl::Time since = absl::InfiniteFuture();
};

struct RunFacts {
  // The coordinator.
  std::string fatal = {}, degraded = {};  // why it cannot work, or cannot write now; empty while it can
  absl::Time degraded_since = absl::InfinitePast();
  absl::Time last_progress = absl::InfinitePast();
  RanksThere ranks = {};  // while a learner is there
  SlowRankFacts slow_rank = {};
  PoolFacts learners = {}, workers = {}, reward_servers = {};
  // The run.
  bool started = false, finished = false, saved = false;
  int64_t step = 0;           // committed
  bool step_is_late = false;  // no progress for longer than is ordinary
  int64_t assigned = 0, complete = 0, groups_per_step = 1;
  // The lowest ordinal that is leased, if one is.
  std::string holder = {};
  int64_t held_ordinal = -1;
  absl::Time held_since = absl::InfinitePast();
  // What became of groups.
  int64_t unscorable_in_a_row = 0;
  std::string unscorable_detail = {};
  int64_t retired_in_a_row = 0;                // since the last step
  int64_t newest_groups = 0, newest_flat = 0;  // of the newest ones, those with zero variance
};

// The member, group or event that the next step needs; kNothing while the learner works on one.
Blocker WaitingFor(const RunFacts& facts);

// All steps are committed and the last checkpoint is recorded: nothing of the result can be lost any more.
bool IsSaved(int64_t committed_steps, int64_t newest_checkpoint, int64_t total_steps);

struct WatchdogFacts {
  absl::Time now = {}, last_progress = {};
  absl::Duration patience = {};
  bool spoke = false;    // since the last progress
  bool leaving = false;  // the run is saved or drains
};
bool WatchdogIsDue(const WatchdogFacts& facts);

}  // namespace lvrpo
