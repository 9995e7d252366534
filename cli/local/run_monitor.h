#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cli/local/progress.h"
#include "cli/local/stall.h"
#include "cli/local/supervisor.h"
#include "common/clock.h"
#include "common/run_folder/run_folder.h"
#include "proto/lvrpo/v1/coordinator.pb.h"

namespace lvrpo {

// Prints the status of a training for `lvrpo run`: progress, and why it is stalled. Not thread-safe; its
// arguments must outlive it.
class RunMonitor {
 public:
  RunMonitor(const RunFolder& folder, Supervisor& supervisor, ProgressPrinter& printer,
             Clock& clock = RealClock())
      : folder_(folder), supervisor_(supervisor), printer_(printer), clock_(clock) {}

  // Call when the roles were started.
  void Begin() { stall_ = StallWatch(clock_.Now()); }

  // Prints why the run takes no step, when due. `status`: the coordinator's newest answer.
  void WatchForStall(const absl::StatusOr<v1::GetStatusResponse>& status);
  void ShowProgress(const v1::GetStatusResponse& status);

 private:
  const RunFolder& folder_;
  Supervisor& supervisor_;
  ProgressPrinter& printer_;
  Clock& clock_;
  StallWatch stall_ = StallWatch(clock_.Now());
  std::vector<StepTime> steps_seen_;  // of this session
};

}  // namespace lvrpo
