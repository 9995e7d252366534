#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <limits>
#include <memory>

#include "absl/time/time.h"
#include "collectives/collectives.h"
#include "common/clock.h"
#include "common/telemetry/metrics.h"

namespace lvrpo {

// Since when the calling thread has been blocked by an operation of all ranks: by ranks that are late.
// Thread-safe.
class BlockedSince {
 public:
  // Zero while it is not.
  absl::Duration Lasted(absl::Time now) const {
    return std::max(now - FromNumber(since_), absl::ZeroDuration());
  }
  void Begin(absl::Time now) { since_ = absl::ToUnixNanos(now); }
  void End() { since_ = kNever; }

 private:
  static constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
  static absl::Time FromNumber(int64_t nanos) {
    return nanos == kNever ? absl::InfiniteFuture() : absl::FromUnixNanos(nanos);
  }
  std::atomic<int64_t> since_ = kNever;
};

// `collectives`, measured by kind of operation: seconds that the caller was blocked, the bytes that it gave
// or got (the larger), and failures. A rank that others wait for is the one that is blocked least. `metrics`,
// `clock` and `blocked`, which may be null, must outlive it.
std::unique_ptr<Collectives> Measured(std::unique_ptr<Collectives> collectives, Metrics& metrics,
                                      Clock& clock, BlockedSince* blocked = nullptr);

}  // namespace lvrpo
