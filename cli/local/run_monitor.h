#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cli/local/progress.h"
#include "cli/local/run_folder.h"
#include "cli/local/stall.h"
#include "cli/local/supervisor.h"
#include "common/clock.h"
#include "proto/lvrpo/v1/coordinator.pb.h"

namespace lvrpo {

// What `lvrpo run` tells of its training: how it stands, and why it stands still. Not thread-safe; what it is
// given must outlive it.
class RunMonitor {
 public:
  RunMonitor(const RunFolder& folder, Supervisor& supervisor, ProgressPrinter& printer)
      : folder_(folder), supervisor_(supervisor), printer_(printer) {}

  // The roles were started just now.
  void Begin() { stall_ = StallWatch(RealClock().Now()); }
  void SetHeldout(const std::string& score) { heldout_ = score; }

  // Says why the run takes no step, when it is time to. `status`: the coordinator's newest answer.
  void WatchForStall(const absl::StatusOr<v1::GetStatusResponse>& status);
  void ShowProgress(const v1::GetStatusResponse& status);

 private:
  const RunFolder& folder_;
  Supervisor& supervisor_;
  ProgressPrinter& printer_;
  std::string heldout_;  // newest score, as text
  StallWatch stall_ = StallWatch(RealClock().Now());
  std::vector<StepTime> steps_seen_;  // of this session
};

}  // namespace lvrpo
