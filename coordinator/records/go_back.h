#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace lvrpo {

// An operator takes a stopped run back to a checkpoint, or to the base weights (step 0), on purpose: later
// steps and checkpoints move to the tables of abandoned ones, with an event, and the run goes on from there.
// The checkpoint must be on record and intact, or in the object store only. Unavailable while a coordinator
// works in the folder; NotFound, FailedPrecondition (no such checkpoint, another format), InvalidArgument (no
// such step) or DataLoss (checkpoint or records are damaged).
absl::Status GoBack(const std::string& run_dir, int64_t step, absl::Time now);

}  // namespace lvrpo
