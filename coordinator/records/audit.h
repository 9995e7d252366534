#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace lvrpo {

struct Proof {
  std::string sentence;  // what was proven, or what is wrong
  bool holds = false;
};

// Reads all records of a run folder and proves what a finished or stopped run promises: steps without gaps,
// every group consumed exactly once and by one step, nothing too old, G finite scores each that differ,
// weights that were published and acknowledged with that very digest, checkpoints that are intact and the
// steps' own, and that no record was changed since the coordinator wrote it (digests.h, row_sums.h; runs of
// older programs lack these, which their last proof says). NotFound, FailedPrecondition or DataLoss when
// there is nothing to read.
absl::StatusOr<std::vector<Proof>> AuditRun(const std::string& run_dir);

}  // namespace lvrpo
