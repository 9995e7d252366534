#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/clock.h"

namespace lvrpo {

// How often a call to another machine is repeated, and how long is waited before that.
struct RetryPolicy {
  int retries = 3;                                      // after the first try
  absl::Duration first_wait = absl::Milliseconds(200);  // doubled each time
  absl::Duration longest_wait = absl::Seconds(10);      // of one wait; who asks for more is not waited for
};

// For a server that may still be starting: as often as the time at hand allows.
constexpr int kRetryUntilDeadline = 1 << 30;

// How time passes between two tries: tests wait without sleeping. The clock must outlive its user.
struct Waiting {
  Clock* clock = &RealClock();
  std::function<void(absl::Duration)> sleep = absl::SleepFor;
};

// How long to wait before a call that failed is repeated; nullopt when it is not. Repeated is what may
// succeed then: Unavailable and ResourceExhausted, not before the time that the other side asked for
// (ErrorInfo.retry_after_seconds). A call that took too long is not: the other side is still at work on it.
// `tries` were made (at least 1), and `left` is there for wait and call. Waits differ by `seed`, so that
// calls that failed together do not come back together; the same arguments give the same wait.
std::optional<absl::Duration> WaitBeforeRetry(const RetryPolicy& policy, const absl::Status& failure,
                                              int tries, absl::Duration left, uint64_t seed);

}  // namespace lvrpo
