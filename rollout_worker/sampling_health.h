#pragma once

#include <optional>

#include "absl/time/time.h"

namespace lvrpo {

// Whether a worker that could not sample continues: after a pause that doubles, until it has failed too often
// in a row. The limit is below the failures that retire a prompt, so that a failing worker (memory, hardware)
// ends before it retires any. Not thread-safe.
class SamplingHealth {
 public:
  static constexpr int kMostInARow = 4;

  void Sampled() { failures_ = 0; }
  // A group could not be sampled. Returns the pause before the next; nullopt: exit, to be restarted.
  std::optional<absl::Duration> Failed() {
    if (++failures_ >= kMostInARow) return std::nullopt;
    return absl::Seconds(1 << (failures_ - 1));
  }

 private:
  int failures_ = 0;
};

}  // namespace lvrpo
