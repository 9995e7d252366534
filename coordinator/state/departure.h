#pragma once

#include "absl/time/time.h"

// When a coordinator ends: rules over a snapshot. Pure.
namespace lvrpo {

struct DepartureFacts {
  bool told = false;             // by a signal
  absl::Duration told_for = {};  // since then
  bool orphaned = false;  // the signal reports that the parent process has ended: nobody starts it again
  bool draining = false, finished = false;
  bool alone = false;         // nobody is a member
  bool overdue = false;       // it drains for longer than its grace
  absl::Duration grace = {};  // of a drain
  bool learner_leaves =
      false;  // it was told to leave, too, as when their machine is drained, and saves a checkpoint
  absl::Duration hearing = {};  // how long it may take until the coordinator hears of that
  bool stays = false;           // after the run: until a signal
};

enum class NextStep {
  kServe,
  kDrain,  // the run ends with its parent process
  kLeave,  // and the run goes on, with the next coordinator
  kRest,   // the run is over: only status is asked for
  kEnd,    // the run is over
};

// A signal means: leave, the run goes on; a learner that leaves at the same time may first have its
// checkpoint recorded. A run that is over, or drains, first waits for its members, within the grace: nothing
// of it would be left to do for another coordinator.
NextStep NextStepOf(const DepartureFacts& facts);

}  // namespace lvrpo
