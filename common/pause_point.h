#pragma once

namespace lvrpo {

// A place at which a process can be made to stop, for tests that kill it there (tests/chaos). With
// LVRPO_PAUSE_AT=phase:count in the environment the process logs a line and stops itself (SIGSTOP) when it
// comes to `phase` for the count-th time; SIGCONT lets it go on. Without, nothing. Thread-safe.
//
// Phases: load, backward, optimizer, publish, commit, checkpoint (of a learner's step), gather, scatter,
// reduce (what ranks do together), send, fetch (a piece of weights).
void PausePoint(const char* phase);

}  // namespace lvrpo
