#pragma once

#include "absl/time/time.h"

namespace lvrpo {

// Turns SIGTERM and SIGINT into a request to drain. A second signal ends the process at once (exit code 128 +
// number). One per process, made in main before threads start.
class ShutdownSignal {
 public:
  ShutdownSignal();

  bool requested() const;
  // Asks for shutdown from inside the process.
  void Request();
  // Blocks until a request or `timeout`; returns requested().
  bool WaitFor(absl::Duration timeout) const;
};

}  // namespace lvrpo
