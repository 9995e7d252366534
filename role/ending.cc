#include "role/ending.h"

#include "absl/strings/str_cat.h"

namespace lvrpo {
namespace {

bool IsAway(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status) || absl::IsCancelled(status);
}

}  // namespace

absl::Status EndingOf(const TrainingEnd& end) {
  if (!end.status.ok()) {
    if (!end.told || !IsAway(end.status)) return end.status;
    return absl::AbortedError(absl::StrCat("stopped by a signal; the run goes on when a learner is back (",
                                           end.status.message(), ")"));
  }
  if (end.complete || end.drained) return absl::OkStatus();
  return absl::AbortedError(absl::StrCat(end.told ? "stopped" : "another rank was stopped",
                                         " by a signal after saving a checkpoint; the run goes on when a "
                                         "learner is back"));
}

absl::Status EndingOfMember(const absl::Status& status, bool told) {
  return told && IsAway(status) ? absl::OkStatus() : status;
}

}  // namespace lvrpo
