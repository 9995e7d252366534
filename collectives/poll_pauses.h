#pragma once

#include <algorithm>

#include "absl/time/time.h"
#include "common/clock.h"

namespace lvrpo {

// The pauses of one wait that polls: 5 us at first, each half as long again as the one before, up to 1 ms. So
// what takes long is noticed a third later at most, and costs no processor.
class PollPauses {
 public:
  explicit PollPauses(const Waiting& waiting) : waiting_(waiting) {}
  void Pause() {
    waiting_.sleep(next_);
    next_ = std::min(next_ * 1.5, absl::Milliseconds(1));
  }

 private:
  const Waiting& waiting_;
  absl::Duration next_ = absl::Microseconds(5);
};

}  // namespace lvrpo
