#pragma once

#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/files/file_lock.h"
#include "common/flags/role_flags.h"
#include "common/net/call_watch.h"
#include "common/shutdown.h"
#include "common/telemetry/metrics.h"
#include "learner/inbox_service.h"
#include "learner/loop.h"
#include "learner/spool.h"
#include "learner/training.h"
#include "proto/lvrpo/v1/config.pb.h"
#include "role/role_process.h"
#include "weight_plane/weight_service.h"

namespace lvrpo {

// A learner's process: the inbox and the weights that it serves, and the loop that trains.
class LearnerProcess {
 public:
  // All must outlive it.
  LearnerProcess(const RoleFlags& flags, const v1::RunConfig& config, Training& training,
                 ShutdownSignal& shutdown);

  // Joins the run, trains until it has finished, drains or `shutdown` is requested, and leaves. Errors of
  // LearnerLoop; Aborted when a signal stopped it before the run's end.
  absl::Status Run();

 private:
  // Waits for the run folder, which a coordinator started at the same time makes in a moment, and locks it.
  absl::StatusOr<FileLock> TakeRunFolder() const;
  absl::Status Join();
  absl::Status Train();
  LearnerLoop::Session LoopSession();
  MemberSession::Report Report() const;
  OpenLeases Leases() const;

  const RoleFlags& flags_;
  const v1::RunConfig& config_;
  Training& training_;
  ShutdownSignal& shutdown_;
  Metrics metrics_{"learner"};
  Spool spool_;
  CallWatch uploads_, downloads_;
  WeightService weights_;
  InboxService inbox_;
  LearnerLoop loop_;
  std::unique_ptr<RoleProcess> process_;  // its threads use all of the above: destroyed first
};

}  // namespace lvrpo
