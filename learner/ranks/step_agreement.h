#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "collectives/collectives.h"
#include "proto/lvrpo/v1/coordinator.pb.h"

namespace lvrpo {

// An error of a communicator as the end of this process: Aborted, with its words. The learner starts again as
// a whole.
absl::Status RanksAreLost(const absl::Status& error);

// What the ranks of a learner agree on around a step: whether to take it, and what rank 0 has decided. All
// ranks make the same calls in the same order. One rank alone agrees with itself and exchanges nothing.
//
// Errors are Aborted, with the communicator's words: it is broken, and the learner starts again as a whole.
// Not thread-safe.
class StepAgreement {
 public:
  // `ranks`: null with one rank. It must outlive this.
  explicit StepAgreement(Collectives* ranks) : ranks_(ranks) {}

  int rank() const { return ranks_ == nullptr ? 0 : ranks_->rank(); }
  int size() const { return ranks_ == nullptr ? 1 : ranks_->size(); }

  // One rank's word on the step to come.
  struct Word {
    bool draining = false;   // the run drains
    bool stopping = false;   // it was told to leave
    bool unusable = false;   // it has reported groups of the step that it cannot read
    bool assigned = false;   // the step's groups are there...
    int64_t assignment = 0;  // ... and are these (FingerprintOf)
  };
  enum class Verdict { kTrain, kAskAgain, kStop, kDrain };
  // One exchange. kTrain: everybody has the same assignment, and its groups of it. kDrain, kStop: anybody has
  // heard that the run drains, or stops.
  absl::StatusOr<Verdict> Agree(const Word& word);

  // What rank 0 says, on all ranks. `words` of the others are ignored.
  absl::StatusOr<std::string> Tell(absl::string_view words);

  // What every rank says, by rank. Few words: each rank gets as many bytes of all as the longest has.
  absl::StatusOr<std::vector<std::string>> Gather(absl::string_view words);

  // Whether all ranks are OK: the status of this one when it is not, else Aborted when another's is not.
  absl::Status AgreeOn(const absl::Status& status);

 private:
  Collectives* ranks_;
};

// A number that equal assignments of a step share, and others hardly do. Not negative.
int64_t FingerprintOf(int64_t step, const v1::AssignStepResponse& assignment);

// Why a process that has joined the epoch `own` must leave, given what the coordinator says now: another set
// of processes is there, or one of its ranks is another process. OK while ranks are only missing: they may
// come back. Aborted otherwise. Pure.
absl::Status CheckOwnEpoch(const v1::LearnerEpoch& own, const v1::LearnerEpoch& now);

}  // namespace lvrpo
