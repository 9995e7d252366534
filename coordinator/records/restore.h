#pragma once

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "coordinator/records/store.h"
#include "coordinator/state/run_state.h"

namespace lvrpo {

// The state of a run as its records have it: what is on its way, and the newest of what is closed. DataLoss
// when the records are damaged.
absl::StatusOr<RunState> RestoreState(const Store& store, const RunRules& rules, absl::Time now);

}  // namespace lvrpo
