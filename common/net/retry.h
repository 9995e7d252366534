#pragma once

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace lvrpo {

// How often a call to another machine is retried, and the wait before each retry.
struct RetryPolicy {
  int retries = 3;                                      // after the first try
  absl::Duration first_wait = absl::Milliseconds(200);  // doubled each time
  absl::Duration longest_wait = absl::Seconds(10);      // of one wait; a longer Retry-After ends the retries
};

// For a server that may still be starting: as often as the deadline allows.
constexpr int kRetryUntilDeadline = 1 << 30;

// first, 2 first, 4 first, ... up to `longest`, after `tries` failed tries (at least 1).
absl::Duration DoubledWait(absl::Duration first, absl::Duration longest, int tries);

// How long to wait after `tries` failed tries (at least 1), whatever the reason: half to all of the doubled
// wait, or what the server asked for where that is longer, up to policy.longest_wait. The wait is jittered by
// `seed`, so that calls that failed together are not retried together; the same arguments give the same wait.
// Does not look at policy.retries.
absl::Duration NextWait(const RetryPolicy& policy, int tries, absl::Duration asked, uint64_t seed);

// The same before a failed call is retried; nullopt when it is not. Retried are Unavailable and
// ResourceExhausted, not before the time that the server asked for (ErrorInfo.retry_after_seconds). A call
// that timed out is not: the server may still be working on it. `left` is the time for wait and call.
std::optional<absl::Duration> WaitBeforeRetry(const RetryPolicy& policy, const absl::Status& failure,
                                              int tries, absl::Duration left, uint64_t seed);

}  // namespace lvrpo
