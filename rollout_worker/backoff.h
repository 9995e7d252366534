#pragma once

#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/clock.h"

namespace lvrpo {

// Pause before the next lease after groups that failed for reasons other than themselves: 1 s, then twice as
// long each time, up to 30 s, until one is delivered. Sampling the same group again at once would waste
// compute. Thread-safe.
class Backoff {
 public:
  explicit Backoff(Clock& clock = RealClock()) : clock_(clock) {}

  // Outcome of a group, from Delivery::Deliver().
  void Note(const std::string& outcome);
  // Zero when there is nothing to wait for.
  absl::Duration Left() const;
  std::string reason() const;  // the last outcome that counted

 private:
  Clock& clock_;
  mutable absl::Mutex mutex_;
  int failures_ ABSL_GUARDED_BY(mutex_) = 0;  // in a row
  std::string reason_ ABSL_GUARDED_BY(mutex_);
  absl::Time until_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
};

}  // namespace lvrpo
