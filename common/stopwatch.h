#pragma once

#include "absl/time/time.h"
#include "common/clock.h"

namespace lvrpo {

// Seconds since its beginning, or since the last lap. The clock must outlive it. Not thread-safe.
class Stopwatch {
 public:
  explicit Stopwatch(Clock& clock = RealClock()) : clock_(clock), begin_(clock.Now()) {}

  double Seconds() const { return absl::ToDoubleSeconds(clock_.Now() - begin_); }
  // The seconds of the lap that ends here; the next one begins.
  double Lap() {
    const absl::Time now = clock_.Now();
    const double seconds = absl::ToDoubleSeconds(now - begin_);
    begin_ = now;
    return seconds;
  }

 private:
  Clock& clock_;
  absl::Time begin_;
};

}  // namespace lvrpo
