#pragma once

#include "absl/status/status.h"

// How a process ends: rules over what happened. Pure.
namespace lvrpo {

struct TrainingEnd {
  absl::Status status = absl::OkStatus();  // of its work
  bool complete = false;                   // the run has taken all its steps
  bool drained = false;                    // the run drains
  bool told = false;                       // to leave, by a signal
};

// What a learner ends with. OK only when the run is complete or was drained: its supervisor starts no other.
// Aborted (try again) when it was told to leave a run that goes on, also when its coordinator is away, or
// leaves at the same moment. What another try cannot mend stays what it is.
absl::Status EndingOf(const TrainingEnd& end);

// What a member of a pool ends with that was told to leave: nothing is wrong when its coordinator is away as
// well.
absl::Status EndingOfMember(const absl::Status& status, bool told);

}  // namespace lvrpo
