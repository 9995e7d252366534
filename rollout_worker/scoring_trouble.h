#pragma once

#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/clock.h"

namespace lvrpo {

// Why no group gets its scores, once that has lasted longer than a scorer may take: what a worker logs while
// it retries, and reports as what it waits for. Only received scores end it. Thread-safe.
class ScoringTrouble {
 public:
  // `patience`: how long a scorer may take. The clock must outlive it.
  ScoringTrouble(absl::Duration patience, Clock& clock) : patience_(patience), clock_(clock) {}

  // A score call failed; `why` names the scorer and the error. Returns the line to log now: the first when
  // patience is over, then one every 30 s; otherwise "".
  std::string Failed(absl::string_view why);
  // Scores were received.
  void End();
  // "scores, for 34 s now: scorer 'brand' OVERLOADED: ..." from the moment that patience is over; otherwise
  // "".
  std::string text() const;

 private:
  std::string Line(absl::Time now) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const absl::Duration patience_;
  Clock& clock_;
  mutable absl::Mutex mutex_;
  absl::Time since_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteFuture();
  absl::Time logged_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  std::string why_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace lvrpo
