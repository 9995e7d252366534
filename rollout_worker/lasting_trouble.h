#pragma once

#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/clock.h"

namespace lvrpo {

// Why something does not come, once that has lasted for a while: what a worker logs while it retries, and
// reports as what it waits for. Success ends it, and so does a minute in which nothing was tried.
// Thread-safe.
class LastingTrouble {
 public:
  // `what`: does not come ("scores"). `patience`: failures that are over sooner are not worth a word. The
  // clock must outlive it.
  LastingTrouble(std::string what, absl::Duration patience, Clock& clock)
      : what_(std::move(what)), patience_(patience), clock_(clock) {}

  // A call failed; `why` names who answered and the error. Returns the line to log now: the first when
  // patience is over, then one every 30 s; otherwise "".
  std::string Failed(absl::string_view why);
  // A call succeeded.
  void End();
  // "scores, for 34 s now: scorer 'brand' OVERLOADED: ..." from the moment that patience is over; otherwise
  // "".
  std::string text() const;

 private:
  std::string Line(absl::Time now) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string what_;
  const absl::Duration patience_;
  Clock& clock_;
  mutable absl::Mutex mutex_;
  absl::Time since_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteFuture();
  absl::Time newest_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  absl::Time logged_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  std::string why_ ABSL_GUARDED_BY(mutex_);
};

// Of a delivery.
struct DeliveryTroubles {
  DeliveryTroubles(absl::Duration patience, Clock& clock)
      : scores("scores", patience, clock), inbox("the learner's inbox", patience, clock) {}
  LastingTrouble scores, inbox;
};

}  // namespace lvrpo
