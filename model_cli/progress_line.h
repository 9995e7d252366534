#pragma once

#include <cstdint>
#include <string>

#include "common/stopwatch.h"

namespace lvrpo {

// "what  12 of 50  24 %  left 1 m 10 s" on stderr, rewritten in place on a terminal, a new line every ten
// seconds elsewhere. Not thread-safe.
class ProgressLine {
 public:
  explicit ProgressLine(std::string what);
  ~ProgressLine();  // ends the line
  ProgressLine(const ProgressLine&) = delete;
  void Update(int64_t done, int64_t all);

 private:
  const std::string what_;
  const bool terminal_;
  const Stopwatch watch_;
  double shown_ = -1;  // share that was shown last; below 0: none
  double last_ = 0;    // seconds of the watch then
};

}  // namespace lvrpo
