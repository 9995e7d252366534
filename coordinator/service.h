#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/metrics.h"
#include "coordinator/members.h"
#include "coordinator/run_state.h"
#include "coordinator/step_log.h"
#include "coordinator/store.h"
#include "proto/lvrpo/v1/coordinator.grpc.pb.h"

namespace lvrpo {

// The coordinator's RPCs: a thin shell of one lock around RunState (the rules), Members (who is here) and
// Store (what survives). Every change is on disk before it is answered; when the disk fails, the service
// refuses everything and fatal() says why.
class CoordinatorService final : public v1::Coordinator::Service {
 public:
  struct Options {
    std::string run_id;
    std::string run_dir;  // metrics.jsonl and tensorboard/ are written here
    std::string config_digest;
    RunRules rules;
    absl::Duration heartbeat = absl::Milliseconds(500);
    absl::Duration member_timeout = absl::Seconds(5);
    absl::Duration watchdog = absl::Seconds(60);
  };

  // Reads what the store holds and raises the run epoch. `clock` and `metrics` must outlive it.
  static absl::StatusOr<std::unique_ptr<CoordinatorService>> Create(Options options,
                                                                    std::unique_ptr<Store> store,
                                                                    Clock& clock, Metrics& metrics);

  grpc::Status Register(grpc::ServerContext*, const v1::RegisterRequest*, v1::RegisterResponse*) override;
  grpc::Status Heartbeat(grpc::ServerContext*, const v1::HeartbeatRequest*, v1::HeartbeatResponse*) override;
  grpc::Status Leave(grpc::ServerContext*, const v1::LeaveRequest*, v1::LeaveResponse*) override;
  grpc::Status LeaseGroup(grpc::ServerContext*, const v1::LeaseGroupRequest*,
                          v1::LeaseGroupResponse*) override;
  grpc::Status ReturnLease(grpc::ServerContext*, const v1::ReturnLeaseRequest*,
                           v1::ReturnLeaseResponse*) override;
  grpc::Status SubmitGroup(grpc::ServerContext*, const v1::SubmitGroupRequest*,
                           v1::SubmitGroupResponse*) override;
  grpc::Status AcknowledgeVersion(grpc::ServerContext*, const v1::AcknowledgeVersionRequest*,
                                  v1::AcknowledgeVersionResponse*) override;
  grpc::Status StartTraining(grpc::ServerContext*, const v1::StartTrainingRequest*,
                             v1::StartTrainingResponse*) override;
  grpc::Status AssignStep(grpc::ServerContext*, const v1::AssignStepRequest*,
                          v1::AssignStepResponse*) override;
  grpc::Status CommitStep(grpc::ServerContext*, const v1::CommitStepRequest*,
                          v1::CommitStepResponse*) override;
  grpc::Status RecordCheckpoint(grpc::ServerContext*, const v1::RecordCheckpointRequest*,
                                v1::RecordCheckpointResponse*) override;
  grpc::Status ReportLostGroups(grpc::ServerContext*, const v1::ReportLostGroupsRequest*,
                                v1::ReportLostGroupsResponse*) override;
  grpc::Status GetStatus(grpc::ServerContext*, const v1::GetStatusRequest*, v1::GetStatusResponse*) override;
  grpc::Status Drain(grpc::ServerContext*, const v1::DrainRequest*, v1::DrainResponse*) override;

  // Ends leases and memberships whose time is up, refreshes gauges, and speaks up when nothing progresses.
  // Called several times a second.
  void Tick();

  void StartDraining(const std::string& reason);
  // Finished or draining, and nobody is here any more.
  bool Done() const;
  bool draining() const;
  int64_t run_epoch() const { return run_epoch_; }
  // Why the service can no longer work; OK while it can.
  absl::Status fatal() const;

 private:
  CoordinatorService(Options options, std::unique_ptr<Store> store, Clock& clock, Metrics& metrics);
  absl::Status Restore();
  // FailedPrecondition with a reason unless the write comes from a current member of this run and epoch;
  // PermissionDenied when the member has another role (ROLE_UNSPECIFIED: any may call).
  absl::Status CheckFence(const v1::Fence& fence, v1::Role role) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // All steps are committed and the last checkpoint is recorded: nothing of the result can be lost any more.
  bool Finished() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Refuse(const std::string& reason, const std::string& message)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Writes everything that changed in one transaction.
  absl::Status Save(const std::function<absl::Status()>& more = nullptr)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Event(const std::string& kind, const std::string& text) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void FillView(v1::PoolView* view) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::string WaitingFor() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void NoteLogFailure(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void NoteScores(const v1::SubmitGroupRequest& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Progress() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    last_progress_ = clock_.Now();
    watchdog_spoke_ = false;
  }
  // Runs `change` when the fence holds, saves, and turns the result into gRPC's status.
  grpc::Status Write(const v1::Fence& fence, v1::Role role, const std::function<absl::Status()>& change);

  const Options options_;
  Clock& clock_;
  Metrics& metrics_;
  int64_t run_epoch_ = 0;

  mutable absl::Mutex mutex_;
  std::unique_ptr<Store> store_ ABSL_GUARDED_BY(mutex_);
  RunState state_ ABSL_GUARDED_BY(mutex_);
  StepLog step_log_ ABSL_GUARDED_BY(mutex_);
  Members members_ ABSL_GUARDED_BY(mutex_);
  absl::Status fatal_ ABSL_GUARDED_BY(mutex_);
  int64_t checkpointed_step_ ABSL_GUARDED_BY(mutex_) = -1;  // of the newest recorded checkpoint
  int64_t next_incarnation_ ABSL_GUARDED_BY(mutex_) = 1;
  int64_t next_lease_ ABSL_GUARDED_BY(mutex_) = 0;
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  bool watchdog_spoke_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Time last_progress_ ABSL_GUARDED_BY(mutex_);
  std::string last_metrics_ ABSL_GUARDED_BY(mutex_);
  std::vector<EventRecord> events_ ABSL_GUARDED_BY(mutex_);  // not saved yet
  // Mean score by component of the newest groups, oldest first.
  std::deque<std::map<std::string, double>> recent_scores_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace lvrpo
