#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/clock.h"

namespace lvrpo {

// How often a call to another machine is retried, and the wait before each retry.
struct RetryPolicy {
  int retries = 3;                                      // after the first try
  absl::Duration first_wait = absl::Milliseconds(200);  // doubled each time
  absl::Duration longest_wait = absl::Seconds(10);      // of one wait; a longer Retry-After ends the retries
};

// For a server that may still be starting: as often as the deadline allows.
constexpr int kRetryUntilDeadline = 1 << 30;

// Waits between two tries: tests wait without sleeping. The clock must outlive its user.
struct Waiting {
  Clock* clock = &RealClock();
  std::function<void(absl::Duration)> sleep = absl::SleepFor;
};

// How long to wait before a failed call is retried; nullopt when it is not. Retried are Unavailable and
// ResourceExhausted, not before the time that the server asked for (ErrorInfo.retry_after_seconds). A call
// that timed out is not: the server may still be working on it. `tries` were made (at least 1), and `left` is
// the time for wait and call. The wait is jittered by `seed`, so that calls that failed together are not
// retried together; the same arguments give the same wait.
std::optional<absl::Duration> WaitBeforeRetry(const RetryPolicy& policy, const absl::Status& failure,
                                              int tries, absl::Duration left, uint64_t seed);

}  // namespace lvrpo
