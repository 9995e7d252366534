#include "common/clock.h"

#include <chrono>

#include "absl/time/clock.h"

namespace lvrpo {
namespace {

// The wall clock's time at the start, advanced by the steady clock, so that setting the wall clock or
// suspending the machine ends no lease or wait early or late.
class SystemClock : public Clock {
 public:
  absl::Time Now() override {
    return started_ + absl::FromChrono(std::chrono::steady_clock::now() - steady_started_);
  }

 private:
  const absl::Time started_ = absl::Now();
  const std::chrono::steady_clock::time_point steady_started_ = std::chrono::steady_clock::now();
};

}  // namespace

Clock& RealClock() {
  static SystemClock* clock = new SystemClock;
  return *clock;
}

}  // namespace lvrpo
