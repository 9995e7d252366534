#pragma once

#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/clock.h"

namespace lvrpo {

// How long a worker leases nothing after groups that came to nothing for reasons that are not theirs: a
// second, then twice as long each time, up to half a minute, until one comes home. Sampling the same group
// again at once would only heat the machine. Thread-safe.
class Backoff {
 public:
  explicit Backoff(Clock& clock = RealClock()) : clock_(clock) {}

  // What became of a group: what Delivery::Deliver() said.
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
