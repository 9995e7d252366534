#pragma once

#include <cstdint>
#include <string>

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
  const double begin_;  // monotonic seconds
  double shown_ = -1;   // share that was shown last; below 0: none
  double last_;         // when
};

}  // namespace lvrpo
