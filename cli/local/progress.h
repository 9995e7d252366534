#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "proto/lvrpo/v1/coordinator.pb.h"

namespace lvrpo {

// One line with a run's status: step, time left, what it waits for, reward by component, newest held-out
// score, samples per second. Pure.
struct ProgressInput {
  v1::GetStatusResponse status;
  double samples_per_second = 0;
  std::optional<double> seconds_left;
};
std::string FormatProgress(const ProgressInput& input);

// A number of committed steps and when it was seen.
struct StepTime {
  int64_t steps;
  double seconds;
};
// Seconds that the steps from the newest of `seen` (in order) to `total` take at the median duration of those
// seen, so that a pause between sessions does not count. nullopt while no step was seen, and when the newest
// is so old, at `now`, that the run is stalled. Pure.
std::optional<double> SecondsLeft(const std::vector<StepTime>& seen, int64_t total, double now);

// "1 min 05 s"
std::string FormatSeconds(double seconds);

// Prints lines; on a terminal the newest progress line is rewritten in place. Not thread-safe.
class ProgressPrinter {
 public:
  ProgressPrinter();
  // A line that stays.
  void Say(const std::string& line);
  // A line that the next one replaces on a terminal; elsewhere it is printed when `step` moved on by 10,
  // moved on and the newest line is a minute old, or went back.
  void Show(const std::string& line, int64_t step);
  void Done();

 private:
  const bool terminal_;
  size_t shown_ = 0;  // characters on the terminal's line
  int64_t last_step_ = -1;
  absl::Time last_time_ = absl::InfinitePast();
};

}  // namespace lvrpo
