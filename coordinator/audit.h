#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace lvrpo {

struct Proof {
  std::string sentence;  // what was proven, or what is wrong
  bool holds = false;
};

// Replays the records of a run folder and proves what a finished or stopped run promises: steps without gaps,
// every group consumed exactly once and by one step, nothing too old, G finite samples each, weights that
// nobody invented, checkpoints that are intact. NotFound, FailedPrecondition or DataLoss when there is
// nothing to read.
absl::StatusOr<std::vector<Proof>> AuditRun(const std::string& run_dir);

}  // namespace lvrpo
