#include "cli/local/restarts.h"

#include "common/exit_code.h"
#include "common/net/retry.h"

namespace lvrpo {
namespace {

constexpr absl::Duration kLongest = absl::Seconds(30), kSettled = absl::Seconds(60);

}  // namespace

bool MayRestart(int exit_code) {
  return exit_code != kExitUsage && exit_code != kExitConfig && exit_code != kExitData &&
         exit_code != kExitDiverged && exit_code != 127;
}

Care CareFor(const RoleSight& sight, bool ending, bool goes_on) {
  if (!sight.has_process) return !ending && sight.is_due ? Care::kStart : Care::kNothing;
  if (!sight.exit_code.has_value())
    return sight.too_silent && !sight.killed && !ending ? Care::kKill : Care::kNothing;
  if (*sight.exit_code == kExitDone && (!goes_on || !sight.left_before)) return Care::kNoteLeft;
  return ending ? Care::kLetGo : Care::kReplace;
}

std::optional<absl::Duration> Restarts::Next(const Death& death) {
  if (!death.group.empty()) {
    const auto [newest, first] = newest_.try_emplace(death.group, death.died);
    if (!first && death.started <= newest->second) return absl::ZeroDuration();
    newest->second = death.died;
  }
  if (used_ >= most_) return std::nullopt;
  ++used_;
  int& before = in_a_row_[death.role];
  if (death.died - death.started >= kSettled) before = 0;
  return before++ == 0 ? absl::ZeroDuration() : DoubledWait(absl::Seconds(1), kLongest, before - 1);
}

}  // namespace lvrpo
