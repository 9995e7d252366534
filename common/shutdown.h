#pragma once

#include <cstdint>

#include "absl/time/time.h"

namespace lvrpo {

// What a signal that asks a process to leave is answered with.
enum class SignalAnswer { kDrain, kNothing, kEndAtOnce };

struct SignalFacts {
  int number = 0;                // SIGTERM, SIGINT or SIGHUP
  bool parents_death = false;    // the system tells that the parent has ended
  bool draining = false;         // something asked before
  int64_t milliseconds_ago = 0;  // since then
};

// The first one starts the drain. A later SIGTERM or SIGINT ends the process at once, but not within a second
// of the first (a terminal, a supervisor and a service manager may all pass on the same wish), and not when
// it is the system that reports a parent's death, which may be more than once. SIGHUP tells of a terminal
// that was closed, and never ends anything at once. Pure; safe in a signal handler.
SignalAnswer AnswerTo(const SignalFacts& facts);

// Turns SIGTERM, SIGINT and SIGHUP into a request to drain; a further one may end the process (AnswerTo) with
// exit code 128 + number. A SIGHUP that was ignored before (nohup) stays ignored. One per process, made in
// main before threads start.
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
