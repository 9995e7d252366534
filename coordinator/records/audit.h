#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace lvrpo {

struct Proof {
  std::string sentence;  // what was proven, or what is wrong
  bool holds = false;
};

// Reads all records of a run folder and verifies the invariants of a finished or stopped run: steps without
// gaps, every group consumed exactly once and by one step, nothing too old, G finite scores each that differ,
// weights that were published and acknowledged with that digest, intact checkpoints with their own step's
// weights, and that no record was changed since the coordinator wrote it (digests.h, row_sums.h). NotFound,
// FailedPrecondition or DataLoss when there is nothing to read.
absl::StatusOr<std::vector<Proof>> AuditRun(const std::string& run_dir);

}  // namespace lvrpo
