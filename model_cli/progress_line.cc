#include "model_cli/progress_line.h"

#include <unistd.h>

#include <cstdio>

namespace lvrpo {

ProgressLine::ProgressLine(std::string what)
    : what_(std::move(what)), terminal_(isatty(STDERR_FILENO) == 1) {}

ProgressLine::~ProgressLine() {
  if (terminal_ && shown_ >= 0) std::fputc('\n', stderr);
}

void ProgressLine::Update(int64_t done, int64_t all) {
  constexpr double kSecondsBetweenLines = 10;
  const double share = static_cast<double>(done) / static_cast<double>(all), now = watch_.Seconds();
  if (terminal_ ? share - shown_ < .005 && done != all : now - last_ < kSecondsBetweenLines) return;
  shown_ = share, last_ = now;
  const double left = share > 0 ? now * (1 - share) / share : 0;
  std::fprintf(stderr, "%s%s  %lld of %lld  %.0f %%  left %.0f s%s", terminal_ ? "\r" : "", what_.c_str(),
               static_cast<long long>(done), static_cast<long long>(all), 100 * share, left,
               terminal_ ? "   " : "\n");
}

}  // namespace lvrpo
