#include "cli/local/run_monitor.h"

#include <algorithm>

#include "absl/time/time.h"
#include "cli/local/disk.h"

namespace lvrpo {

void RunMonitor::WatchForStall(const absl::StatusOr<v1::GetStatusResponse>& status) {
  const absl::Time now = clock_.Now();
  const bool speak = status.ok() ? stall_.Look(*status, now) : stall_.LookAtSilence(now);
  if (stall_.moved()) supervisor_.MarkLogs();
  if (!speak) return;
  StallFacts facts = stall_.Facts(now);
  facts.complaints = supervisor_.Complaints();
  facts.disk = DiskProblemOf(folder_.path);
  printer_.Say(FormatStall(facts));
}

void RunMonitor::ShowProgress(const v1::GetStatusResponse& status) {
  const double now = absl::ToDoubleSeconds(clock_.Now() - absl::UnixEpoch());
  if (steps_seen_.empty() || steps_seen_.back().steps != status.step())  // fewer: steps were abandoned
    steps_seen_.push_back({.steps = status.step(), .seconds = now});
  ProgressInput input;
  input.status = status;
  input.seconds_left = SecondsLeft(steps_seen_, status.total_steps(), now);
  input.samples_per_second = static_cast<double>((status.step() - steps_seen_.front().steps) *
                                                 folder_.config.config.train().groups_per_step() *
                                                 folder_.config.config.rollout().group_size()) /
                             std::max(1.0, now - steps_seen_.front().seconds);
  printer_.Show(FormatProgress(input), status.step());
}

}  // namespace lvrpo
