#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/net/introduction.h"
#include "common/telemetry/log_group.h"
#include "common/telemetry/metrics.h"
#include "coordinator/contract.h"
#include "coordinator/members.h"
#include "coordinator/page/curves.h"
#include "coordinator/records/step_log.h"
#include "coordinator/records/store.h"
#include "coordinator/scaling/pool_sizer.h"
#include "coordinator/scaling/pool_use.h"
#include "coordinator/state/blockage.h"
#include "coordinator/state/blocker.h"
#include "coordinator/state/run_state.h"
#include "proto/lvrpo/v1/coordinator.grpc.pb.h"

namespace lvrpo {

// The coordinator's RPCs: one lock around RunState (the rules), Members (who takes part), RunContract (what
// they must agree on) and Store (what is durable). Every change is made to a copy of the state and written to
// disk; only then it replaces the state and is acknowledged. While the disk is full, read-only or locked the
// service is degraded: it serves reads and heartbeats, refuses writes (UNAVAILABLE, reason DEGRADED) and
// retries by itself. When the records are no longer sound, or nothing can be scored, fatal() says why.
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
    absl::Duration drain_grace = absl::Seconds(30);
    int max_unscorable_groups = 32;  // in a row: then the run ends
    int max_members = 4096;
    v1::Build build = OwnBuild();
  };
  // How the run stands, for whoever decides whether the process ends.
  struct Standing {
    bool draining = false, finished = false;  // finished: all of the result is on disk
    bool alone = false;                       // nobody is a member
    bool overdue = false;                     // it drains for longer than its grace
    bool learner_leaves = false;              // a process of it was told to leave
  };

  // Reads the store; writes nothing and refuses all calls until Start(). `clock` and `metrics`
  // must outlive it.
  static absl::StatusOr<std::unique_ptr<CoordinatorService>> Create(Options options,
                                                                    std::unique_ptr<Store> store,
                                                                    Clock& clock, Metrics& metrics);
  // Raises the run epoch and accepts calls. Also OK when the disk cannot be written now: it is degraded and
  // starts later.
  absl::Status Start();

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
  grpc::Status ReportEvaluation(grpc::ServerContext*, const v1::ReportEvaluationRequest*,
                                v1::ReportEvaluationResponse*) override;
  grpc::Status GetStatus(grpc::ServerContext*, const v1::GetStatusRequest*, v1::GetStatusResponse*) override;
  grpc::Status Drain(grpc::ServerContext*, const v1::DrainRequest*, v1::DrainResponse*) override;

  // Expires leases and members, refreshes gauges, retries failed writes, and logs a watchdog event when
  // nothing progresses. Called several times a second.
  void Tick();

  void StartDraining(const std::string& reason);
  // Finished or draining, and all members have left.
  bool Done() const;
  Standing standing() const;
  int64_t starts() const;  // coordinator starts in this run, this one included
  // Why the run cannot go on; OK while it can.
  absl::Status fatal() const;
  // How many members each pool should have, as of the last Tick(). Unavailable while it starts.
  absl::StatusOr<PoolSizes> WantedSizes() const;
  // The status and the figures of all steps, for the live page.
  nlohmann::json LiveStatus();
  nlohmann::json StepCurves() const;
  // Why the service is not ready: fatal, degraded or starting; empty when it is.
  std::string trouble() const;

 private:
  // One change: a copy of the state, and what is written in the same transaction.
  struct Draft {
    RunState state;
    std::map<std::string, ContractEntry> terms = {};  // of the contract
    std::optional<Acknowledgement> acknowledgement = {};
    std::optional<v1::EvaluationRecord> evaluation = {};
    std::vector<EventRecord> events = {};
    std::vector<std::function<void()>> then = {};  // once it is on disk; under the lock
  };
  using Change = std::function<absl::Status(Draft&)>;

  CoordinatorService(Options options, std::unique_ptr<Store> store, Clock& clock, Metrics& metrics);
  absl::Status Restore();
  // The start's transaction.
  absl::Status Begin() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // FailedPrecondition with a reason unless the write comes from a current member of this run and epoch;
  // PermissionDenied when the member has another role (ROLE_UNSPECIFIED: any may call).
  absl::Status CheckFence(const v1::Fence& fence, v1::Role role) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // PermissionDenied unless the fence's member, if there is one, has the role of the caller's certificate.
  absl::Status CheckCaller(const grpc::ServerContext* context, const v1::Fence& fence)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Unavailable unless the service is started and not fatal; of writes, unless it is not degraded either.
  absl::Status CheckReady(bool writes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Refuse(v1::RefusalReason reason, const std::string& message,
                      absl::StatusCode code = absl::StatusCode::kFailedPrecondition)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Draft NewDraft() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return {.state = state_}; }
  // Writes all changes in one transaction, then adopts the new state. Unavailable when it could not.
  absl::Status Save(Draft& draft) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Inside the transaction.
  absl::Status Put(const Changes& changes, const Draft& draft) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void NoteWriteFailure(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Degraded() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void TryAgain() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // What has become of each of them: at level debug, but for those that were retired.
  void LogGroups(const Changes& changes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void LogRetired(const v1::GroupRecord& group) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // `about`: the group that the text speaks of, if it is one.
  void Event(Draft& draft, const std::string& kind, const std::string& text,
             std::optional<GroupId> about = std::nullopt) const;
  GroupId IdOf(const v1::LeaseId& lease) const {
    return {.run = options_.run_id, .ordinal = lease.ordinal(), .attempt = lease.attempt()};
  }
  // A separate event.
  void SaveEvent(const std::string& kind, const std::string& text) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void FillView(v1::PoolView* view) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // What the run waits for.
  Blocker Waiting() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Speaks when the run is held up, or makes no progress for long.
  void Watch() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void RewriteLog() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void AppendLog(const v1::StepRecord& step) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void NoteScores(const v1::SubmitGroupRequest& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Why this registration is refused; OK when it is not.
  absl::Status CheckRegistration(const v1::RegisterRequest& request, const RunContract::Terms& terms)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Records the member's terms that are not fixed yet; members with other terms are removed.
  void SettleContract(Draft& draft, const std::string& member) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Records that the member holds the current version, unless the records say so already.
  void Acknowledge(Draft& draft, const std::string& member) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Progress() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    last_progress_ = clock_.Now();
    watchdog_spoke_ = false;
  }
  // Expires leases and memberships.
  void Expire() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void RefreshGauges() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void RefreshMemberGauges() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void RefreshBlockedGauges() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  RunNow Now() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SizePools() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Runs `change` when the fence holds, saves, and turns the result into gRPC's status.
  grpc::Status Write(const v1::Fence& fence, v1::Role role, const Change& change);
  // The same of a learner's call, whose epoch must be the current one. `any_rank`: not rank 0's alone.
  grpc::Status WriteOfLearner(const v1::Fence& fence, const std::string& epoch, bool any_rank,
                              const Change& change);
  // Digest of the weights that so many steps made; empty: not known.
  absl::StatusOr<std::string> WeightsOf(int64_t step, const RunState& state) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // Reads the evaluations in the records again.
  absl::Status RestoreEvaluations() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void RefreshHeldOutGauges() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Options options_;
  Clock& clock_;
  Metrics& metrics_;

  mutable absl::Mutex mutex_;
  std::unique_ptr<Store> store_ ABSL_GUARDED_BY(mutex_);
  RunState state_ ABSL_GUARDED_BY(mutex_);
  RunContract contract_ ABSL_GUARDED_BY(mutex_);
  StepLog step_log_ ABSL_GUARDED_BY(mutex_);
  Curves curves_ ABSL_GUARDED_BY(mutex_);
  Members members_ ABSL_GUARDED_BY(mutex_);
  int64_t starts_ ABSL_GUARDED_BY(mutex_) = 0, run_epoch_ ABSL_GUARDED_BY(mutex_) = 0;
  bool started_ ABSL_GUARDED_BY(mutex_) = false;  // Begin() is on disk
  absl::Status fatal_ ABSL_GUARDED_BY(mutex_);
  absl::Status degraded_ ABSL_GUARDED_BY(mutex_);
  absl::Time degraded_since_ ABSL_GUARDED_BY(mutex_), next_try_ ABSL_GUARDED_BY(mutex_);
  absl::Time next_housekeeping_ ABSL_GUARDED_BY(mutex_);
  bool log_is_behind_ ABSL_GUARDED_BY(mutex_) = false;  // metrics.jsonl lacks steps
  PoolUse use_ ABSL_GUARDED_BY(mutex_);
  PoolSizer sizer_ ABSL_GUARDED_BY(mutex_);
  PoolSizes sizes_ ABSL_GUARDED_BY(mutex_);
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Time drain_ends_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteFuture();
  std::map<int64_t, v1::EvaluationRecord> evaluations_ ABSL_GUARDED_BY(mutex_);  // by step
  bool watchdog_spoke_ ABSL_GUARDED_BY(mutex_) = false;
  Blockage blockage_ ABSL_GUARDED_BY(mutex_);
  absl::Time last_progress_ ABSL_GUARDED_BY(mutex_);
  std::map<v1::RetireReason, int64_t> retired_logged_ ABSL_GUARDED_BY(mutex_);  // by reason
  // Mean score by component of the newest groups, oldest first.
  std::deque<std::map<std::string, double>> recent_scores_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace lvrpo
