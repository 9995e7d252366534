#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "proto/lvrpo/v1/common.pb.h"

namespace lvrpo {

// The learner's processes that are there.
struct RanksThere {
  int have = 1, total = 1;
  std::string missing = {};  // what the others lack, in words; empty: all are there
};

// What a run waits for, or a worker that asks for a lease: who, which group, since when. What it says in
// words is InWords()'s business.
struct Blocker {
  enum class Kind {
    kNothing,         // work goes on
    kFinished,        // the run has taken all its steps
    kDraining,        // the run ends
    kCoordinator,     // the coordinator itself: `detail` says why
    kJoin,            // a member of `role`
    kRanks,           // ranks of the learner: `have` of `total` are there; `detail` says what is missing
    kStart,           // the learner, to load its weights
    kWeights,         // `member`, to hold `wanted` instead of `held`
    kLate,            // others, because `member` held a group for `limit` without delivering it
    kStep,            // `step` of the learner
    kLastCheckpoint,  // the learner, to save it; `detail`: what that waits for
    kTraining,        // the learner, which has had the groups of `step` for long
    kSlowRank,        // `member`, a rank that `have` others wait for; empty: all ranks wait for each other
    kComplaint,       // `member`, which says `detail`; `obstacle` is its kind
    kUnscorable,      // scores: none of the newest `count` groups could be scored; `detail` is the newest's
    kFlatRewards,  // groups whose samples differ: of the newest `total`, `have` did not; `count` were retired
    kRetired,      // groups that can be trained on: `count` were retired since the last step
    kLease,        // `member`, which holds `ordinal`; `have` of `total` groups are there
    kGroups,       // rollout workers; `have` of `total` groups are there
  };

  Kind kind = Kind::kNothing;
  std::string member = {};
  int64_t ordinal = -1;
  absl::Time since = absl::InfinitePast();  // not known
  v1::Role role = v1::ROLE_UNSPECIFIED;
  std::string detail = {};
  v1::Obstacle obstacle = v1::OBSTACLE_UNSPECIFIED;
  v1::PolicyVersion wanted = {}, held = {};
  absl::Duration limit = {};
  int64_t step = 0, count = 0, have = 0, total = 0;
};

// kRanks.
Blocker RanksBlocker(const RanksThere& ranks);

// "rollout-0 (ordinal 3; 1 of 2 groups)"; empty for kNothing. Without `since`: members repeat what they were
// told, and that must be the same each time.
std::string InWords(const Blocker& blocker);

// One word for what holds the run up, the label of lvrpo_coordinator_blocked_seconds: "no_learner", "disk",
// "scores",
// ...; empty while nothing does, or the run is over. What WaitingFor() returns has one of BlockerLabels().
std::string LabelOf(const Blocker& blocker);
std::vector<std::string> BlockerLabels();

// The same, with how long it has lasted where that is known.
std::string InWords(const Blocker& blocker, absl::Time now);

}  // namespace lvrpo
