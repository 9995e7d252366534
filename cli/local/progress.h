#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "proto/lvrpo/v1/coordinator.pb.h"

namespace lvrpo {

// One line that tells how a run stands: step, time left, what is waited for, reward by component, newest
// held-out score, samples per second. Pure. `heldout` is empty while there is none.
struct ProgressInput {
  v1::GetStatusResponse status;
  std::string heldout;
  double samples_per_second = 0;
  std::optional<double> seconds_left;
};
std::string FormatProgress(const ProgressInput& input);

// When a run was seen to have taken how many steps.
struct StepTime {
  int64_t steps;
  double seconds;
};
// Seconds that the steps from the newest of `seen` (in order) to `total` will take if they take as long as
// the median of those seen: a pause between two sessions does not count. nullopt while no step was seen, and
// when the newest is so long ago, at `now`, that the run does not go on as it did. Pure.
std::optional<double> SecondsLeft(const std::vector<StepTime>& seen, int64_t total, double now);

// "1 min 05 s"
std::string FormatSeconds(double seconds);

// Prints lines; on a terminal the newest progress line is rewritten in place. Not thread-safe.
class ProgressPrinter {
 public:
  ProgressPrinter();
  // A line that stays.
  void Say(const std::string& line);
  // A line that the next one replaces on a terminal; elsewhere it is printed when `step` moved on by 10, or
  // moved on and the newest line is a minute old.
  void Show(const std::string& line, int64_t step);
  void Done();

 private:
  const bool terminal_;
  size_t shown_ = 0;
  int64_t last_step_ = -1;
  absl::Time last_time_ = absl::InfinitePast();
};

}  // namespace lvrpo
