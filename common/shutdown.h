#pragma once

#include <cstdint>

#include "absl/time/time.h"

namespace lvrpo {

// The response to a signal that asks a process to exit.
enum class SignalAnswer { kLeave, kNothing, kEndAtOnce };

struct SignalFacts {
  int number = 0;                // SIGTERM, SIGINT or SIGHUP
  bool parents_death = false;    // sent by the system because the parent has ended
  bool leaving = false;          // shutdown was requested before
  int64_t milliseconds_ago = 0;  // since then
};

// At the first signal the process begins to leave. A later SIGTERM or SIGINT ends the process at once, but
// not within a second of the first (a terminal, a supervisor and a service manager may all forward the same
// request), and not when the system reports a parent's death, which may come more than once. SIGHUP means
// that the terminal was closed, and never ends the process at once. Pure; safe in a signal handler.
SignalAnswer AnswerTo(const SignalFacts& facts);

// Turns SIGTERM, SIGINT and SIGHUP into a request to leave; another signal may end the process (AnswerTo)
// with exit code 128 + number. A SIGHUP that was ignored before (nohup) stays ignored. One per process,
// created in main before threads start.
class ShutdownSignal {
 public:
  ShutdownSignal();

  bool requested() const;
  // Whether the parent process has ended, and what asked first was the system's SIGTERM that reports it
  // (PR_SET_PDEATHSIG). May be known only a moment after the signal.
  bool orphaned() const;
  // Asks for shutdown from inside the process.
  void Request();
  // Blocks until a request or `timeout`; returns requested().
  bool WaitFor(absl::Duration timeout) const;
};

}  // namespace lvrpo
