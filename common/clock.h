#pragma once

#include <functional>

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace lvrpo {

// The source of time. Nothing outside clock.cc and main reads the system's clock. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual absl::Time Now() = 0;
};

// Never goes backwards: wall time at the first call, advanced by the steady clock.
Clock& RealClock();

// How a wait passes between two tries of something: tests wait without sleeping. The clock must outlive its
// user.
struct Waiting {
  Clock* clock = &RealClock();
  std::function<void(absl::Duration)> sleep = absl::SleepFor;
};

}  // namespace lvrpo
