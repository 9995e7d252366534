#include "cli/local/restarts.h"

#include <algorithm>

#include "common/exit_code.h"

namespace lvrpo {
namespace {

constexpr absl::Duration kLongest = absl::Seconds(30), kSettled = absl::Seconds(60);

}  // namespace

bool MayRestart(int exit_code) {
  return exit_code != kExitUsage && exit_code != kExitConfig && exit_code != kExitData &&
         exit_code != kExitDiverged && exit_code != 127;
}

std::optional<absl::Duration> Restarts::Next(const std::string& role, absl::Duration lived) {
  if (used_ >= most_) return std::nullopt;
  ++used_;
  int& before = in_a_row_[role];
  if (lived >= kSettled) before = 0;
  const int doublings = std::min(before++ - 1, 5);
  return doublings < 0 ? absl::ZeroDuration() : std::min(absl::Seconds(1 << doublings), kLongest);
}

}  // namespace lvrpo
