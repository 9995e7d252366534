#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "coordinator/state/blocker.h"
#include "proto/lvrpo/v1/coordinator.pb.h"

// Which processes train together: rules over the members that are there. Pure.
namespace lvrpo {

// One process of the learner, as it registered.
struct LearnerProcessFacts {
  std::string member = {}, address = {};
  std::string process = {};     // its token
  v1::LearnerPlace place = {};  // ranks at least 1
  bool heard = true;            // since the newest of them came: one that has died is not
};

// The epoch of these processes, one a rank. Complete when all ranks are there, and each has joined this
// epoch, or none yet and was heard. Its id is a digest of their tokens in rank order: the same processes are
// the same epoch, whatever happened to the coordinator meanwhile.
v1::LearnerEpoch LearnerEpochOf(const std::vector<LearnerProcessFacts>& processes);

// Which ranks are there, and what the others lack.
RanksThere LookAtRanks(const v1::LearnerEpoch& epoch);

// Whether a process of the epoch `named` may write now. Aborted: that epoch is over. Unavailable: ranks are
// missing, and may come back.
absl::Status CheckLearnerEpoch(absl::string_view named, const v1::LearnerEpoch& now);

// Why a process cannot be a rank of the learner as long as those that are there stay, in words; empty when it
// can. An older process of `joins.member` does not count.
std::string RankConflict(const LearnerProcessFacts& joins, const std::vector<LearnerProcessFacts>& there);

}  // namespace lvrpo
