#pragma once

#include <optional>

#include "absl/time/time.h"

namespace lvrpo {

// Whether a worker that could not sample goes on: after a pause that doubles, until it has failed too often
// in a row. Fewer failures than cost a prompt its place in the run, so that a worker that is unwell (memory,
// hardware) ends before any prompt does. Not thread-safe.
class SamplingHealth {
 public:
  static constexpr int kMostInARow = 4;

  void Sampled() { failures_ = 0; }
  // A group could not be sampled. How long to wait before the next; nullopt: end, to be started anew.
  std::optional<absl::Duration> Failed() {
    if (++failures_ >= kMostInARow) return std::nullopt;
    return absl::Seconds(1 << (failures_ - 1));
  }

 private:
  int failures_ = 0;
};

}  // namespace lvrpo
