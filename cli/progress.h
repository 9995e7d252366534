#pragma once

#include <string>

#include "absl/time/time.h"
#include "proto/lvrpo/v1/coordinator.pb.h"

namespace lvrpo {

// One line that tells how a run stands: step, reward by component, newest held-out score, samples per second,
// what is waited for, time left. Pure. `heldout` is empty while there is none.
struct ProgressInput {
  v1::GetStatusResponse status;
  std::string heldout;
  double samples_per_second = 0;
  absl::Duration elapsed;  // of this session
  int64_t first_step = 0;  // where this session began
};
std::string FormatProgress(const ProgressInput& input);

// "1 min 05 s"
std::string FormatSeconds(double seconds);

// Prints lines; on a terminal the newest progress line is rewritten in place. Not thread-safe.
class ProgressPrinter {
 public:
  ProgressPrinter();
  // A line that stays.
  void Say(const std::string& line);
  // A line that the next one replaces on a terminal; elsewhere it is printed when `step` moved on by 10.
  void Show(const std::string& line, int64_t step);
  void Done();

 private:
  const bool terminal_;
  size_t shown_ = 0;
  int64_t last_step_ = -1;
};

}  // namespace lvrpo
