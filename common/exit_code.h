#pragma once

#include "absl/status/status.h"

namespace lvrpo {

// Exit codes of all binaries (docs/operating.md).
enum ExitCode : int {
  kExitDone = 0,          // done, or drained
  kExitUsage = 2,         // wrong command line
  kExitConfig = 64,       // bad configuration
  kExitData = 65,         // bad data, checkpoint or run folder
  kExitUnavailable = 69,  // a dependency was unreachable past its deadline
  kExitBug = 70,          // a bug: an invariant of this program is broken
  kExitRetry = 75,        // try again: a transient failure
  kExitDiverged = 76,     // non-finite training
};

// The exit code for an error that ends the process: DataLoss, NotFound, InvalidArgument and
// FailedPrecondition are bad data, Unavailable and DeadlineExceeded an unreachable dependency,
// Aborted and ResourceExhausted retryable, the rest a bug. Configuration errors exit with kExitConfig
// where they are found.
int ExitCodeFor(const absl::Status& status);

}  // namespace lvrpo
