#pragma once

#include <vector>

#include "absl/time/time.h"
#include "common/clock.h"
#include "tests/testing/fake_clock.h"

namespace lvrpo {

// Time that passes only by waiting, and how long was waited. For one waiting thread.
struct FakeWaiting {
  FakeClock clock;
  std::vector<absl::Duration> waits;
  Waiting waiting() {
    return {.clock = &clock, .sleep = [this](absl::Duration duration) {
              waits.push_back(duration);
              clock.Advance(duration);
            }};
  }
};

}  // namespace lvrpo
