#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "coordinator/state/admission.h"
#include "coordinator/state/blocker.h"
#include "coordinator/state/changes.h"
#include "coordinator/state/waiting.h"
#include "proto/lvrpo/v1/coordinator.pb.h"
#include "proto/lvrpo/v1/records.pb.h"

namespace lvrpo {

// The rules of a run that the coordinator enforces; from the configuration.
struct RunRules {
  int64_t total_steps = 1;
  int group_size = 8;
  int groups_per_step = 8;
  int max_staleness = 0;  // 0 = strict on-policy
  bool filter_zero_variance = true;
  int max_failures = 5;  // failures of one ordinal (not outages) before it is retired
  absl::Duration lease = absl::Seconds(30);
  absl::Duration lease_limit = absl::Seconds(900);  // a lease expires then, however often it was renewed
};

// The state machine of a run: groups, leases, steps, versions.
//
//   PLANNED -> LEASED -> COMPLETE -> ASSIGNED(step) -> CONSUMED(step)
//      ^         |           |           |
//      +---------+-----------+-----------+   infrastructure: the same ordinal, next attempt
//                \-----------+-> RETIRED(reason)   data: another ordinal takes its place
//
// Pure: no clock, lock, socket or disk; time is an argument. A copy costs a few pointers per
// group: callers change a copy, write its TakeChanges(), and only then keep it, so memory is never ahead of
// the disk. Memory does not grow with the run. Not thread-safe.
class RunState {
 public:
  explicit RunState(RunRules rules) : rules_(std::move(rules)) {}

  // --- Restore from the store.
  // Open groups, and closed ones that may be submitted again. Leases start anew.
  void RestoreGroup(const v1::GroupRecord& group, absl::Time now);
  // The newest step, and the digest of its record (digests.h).
  void RestoreLastStep(const v1::StepRecord& step, const std::string& digest);
  // Start of the digest chain; call before RestoreLastStep.
  void RestoreChain(const std::string& digest) { chain_ = digest; }
  void RestoreBase(const std::string& digest) { base_digest_ = digest; }
  void RestoreCheckpoint(const v1::CheckpointRecord& checkpoint);
  void RestoreRetired(const std::map<v1::RetireReason, int64_t>& by_reason) {
    retired_by_reason_ = by_reason;
  }
  void RestorePlan(const PlanPosition& plan) { plan_ = plan; }

  // --- Leases. Whose they are is told by their id and the member.
  struct LeaseDecision {
    GroupPointer group;  // null: nothing is leased
    Blocker blocker;     // then: what has to be waited for
  };
  // Leases the lowest planned ordinal, or a new one, if Admit() lets the worker have one.
  LeaseDecision Lease(const LeaseApplication& application, absl::Time now);
  // Extends those of these leases that the member has, up to their limit; returns the others.
  std::vector<v1::LeaseId> RenewLeases(const std::string& member, const std::vector<v1::LeaseId>& leases,
                                       absl::Time now);
  // Plans the ordinals of expired leases again.
  struct LateLease {
    v1::LeaseId lease;
    std::string member;
  };
  struct EndedLeases {
    int count = 0;
    std::vector<LateLease> at_limit;  // those that were renewed up to their limit
  };
  EndedLeases ExpireLeases(absl::Time now);
  // Whether ExpireLeases has anything to do.
  bool AnyLeaseEnded(absl::Time now) const;
  // Plans the member's leases again, except `kept`.
  void DropLeasesOf(const std::string& member, const std::vector<v1::LeaseId>& kept);
  // The worker returns a lease: FailedPrecondition when it is not its own, InvalidArgument without a reason.
  absl::Status Return(const v1::ReturnLeaseRequest& request);

  // --- Groups.
  // Accepts, retires (zero variance, too old) or refuses a finished group. A repeated submit of an accepted
  // group gets the first answer; one with other contents is AlreadyExists.
  absl::StatusOr<v1::SubmitGroupResponse> Submit(const v1::SubmitGroupRequest& request);

  // --- Steps.
  // The learner serves `version` and starts at `version.number()` committed steps. Steps after that are
  // abandoned, and their groups planned again in order; this is only allowed to a recorded checkpoint, or to
  // the base weights while none is recorded. `since`: the records of step version.number() - 1 and all later
  // ones, needed when steps are abandoned. Aborted when it is ahead of the records, InvalidArgument when its
  // weights are not those that the records name, FailedPrecondition when it may not go back there.
  // `ranks`: of the learner. Open groups of ranks that are no more are planned again.
  absl::Status StartTraining(const v1::PolicyVersion& version, const std::vector<v1::StepRecord>& since,
                             int ranks = 1);
  // An operator goes back to a recorded checkpoint, or to the base weights (0): as StartTraining abandons
  // steps, but on purpose and before any learner is there. FailedPrecondition when there is no such
  // checkpoint.
  absl::Status GoBackTo(int64_t step, const std::vector<v1::StepRecord>& since);
  // The groups of the next step, lowest ordinals first; the same set when asked again. Empty: not enough yet.
  absl::StatusOr<std::vector<GroupPointer>> Assign(int64_t step);
  // Idempotent. FailedPrecondition when the step or its groups are not the assigned ones.
  absl::Status Commit(const v1::CommitStepRequest& request, double unix_seconds, int ranks = 1);
  // Unusable groups: planned again, or retired when that happened too often.
  void Lose(const google::protobuf::RepeatedPtrField<v1::LostGroup>& groups);
  // A checkpoint of the current line of steps: its version is filled in. Aborted when it is ahead of the
  // records, InvalidArgument when the step was not taken or cannot be named.
  // `made`: digest of the weights that its step made; `held`: of those that the learner says it holds, which
  // may be left empty.
  absl::Status RecordCheckpoint(v1::CheckpointRecord* checkpoint, const std::string& made,
                                const std::string& held);
  // Digest of the weights of the newest step, or of the base for 0; empty: not known.
  std::string WeightsOf(int64_t step) const;

  // --- Accessors.
  int64_t committed_steps() const { return last_step_ == nullptr ? 0 : last_step_->step() + 1; }
  bool finished() const { return committed_steps() >= rules_.total_steps; }
  bool saved() const { return IsSaved(committed_steps(), newest_checkpoint(), rules_.total_steps); }
  bool started() const { return started_; }
  // A new learner has not started training yet: nothing is leased until it does.
  void AwaitLearner() { started_ = false; }
  const v1::PolicyVersion& current_version() const { return current_version_; }
  const v1::StepRecord* last_step() const { return last_step_.get(); }
  const std::string& base_digest() const { return base_digest_; }  // of version 0; empty: not known yet
  const PlanPosition& plan() const { return plan_; }
  // Lower ordinals are closed for good.
  int64_t lowest_open_ordinal() const {
    return groups_.empty() ? plan_.next_ordinal : groups_.begin()->first;
  }
  int Count(v1::GroupState state) const;
  const std::map<v1::RetireReason, int64_t>& retired_by_reason() const { return retired_by_reason_; }
  int64_t consumed() const { return committed_steps() * rules_.groups_per_step; }
  // Groups in a row returned as unscorable, and the newest one's message.
  int64_t unscorable_in_a_row() const { return unscorable_in_a_row_; }
  const std::string& unscorable_detail() const { return unscorable_detail_; }
  const std::map<int64_t, GroupPointer>& open_groups() const { return groups_; }
  int64_t newest_checkpoint() const { return checkpoints_->empty() ? -1 : checkpoints_->rbegin()->first; }
  const RunRules& rules() const { return rules_; }
  // The run's part of what WaitingFor() looks at.
  RunFacts Facts() const;

  const Changes& changes() const { return changes_; }
  // What changed since the last call.
  Changes TakeChanges() { return std::exchange(changes_, {}); }

 private:
  struct LeaseTimes {
    absl::Time granted, ends;
  };
  struct Lateness {
    int times = 0;
    absl::Time until;  // the member is granted no lease before
  };

  absl::Time LimitOf(const LeaseTimes& times) const { return times.granted + rules_.lease_limit; }
  AdmissionFacts FactsFor(const std::string& member, absl::Time now) const;
  // The member's lease on this attempt, or null when it has none.
  const v1::GroupRecord* LeaseOf(const std::string& member, const v1::LeaseId& lease) const;
  std::vector<int64_t> OrdinalsOf(v1::GroupState state) const;
  // A copy of the open group, to be changed; it becomes part of the changes.
  v1::GroupRecord& Edit(int64_t ordinal);
  v1::GroupRecord& Plan(int64_t ordinal, int32_t attempt, int rank);
  // The rank with the fewest open groups, the lowest of several. `but`: groups that do not count.
  int RankWithRoom(const std::set<int64_t>& but = {}) const;
  // For as many ranks as the learner has now.
  void PlaceAgain();
  // A step that lost a group is assigned anew once it has its full number again.
  void Unassign();
  void PlanNext(const PlanPosition& plan);
  void PlanAgain(int64_t ordinal);
  // Counts a failure: planned again, or retired when there were too many.
  void Fail(int64_t ordinal, v1::RetireReason reason, const std::string& detail);
  void Retire(int64_t ordinal, v1::RetireReason reason, const std::string& detail);
  void NoteOutcome(v1::RetireReason outcome);
  absl::Status CheckContents(const v1::SubmitGroupRequest& request) const;
  // Why a group that arrived whole is not used; RETIRE_UNSPECIFIED when it is.
  v1::RetireReason FaultOf(const v1::SubmitGroupRequest& request) const;
  absl::Status CheckStart(const v1::PolicyVersion& version) const;
  absl::Status GoBack(int64_t step, const std::vector<v1::StepRecord>& since);
  std::shared_ptr<v1::StepRecord> Consume(const std::set<int64_t>& ordinals);

  RunRules rules_;
  std::map<int64_t, GroupPointer> groups_;  // PLANNED to ASSIGNED
  std::map<int64_t, LeaseTimes> leases_;    // of LEASED groups
  std::map<std::string, Lateness> late_;    // by member
  // RETIRED (the newest of them) and CONSUMED since the last step: for repeated submits.
  std::map<int64_t, GroupPointer> closed_;
  std::shared_ptr<const v1::StepRecord> last_step_;
  std::string chain_;  // digest that the next step's record names
  std::string base_digest_;
  using Checkpoints = std::map<int64_t, std::string>;  // committed steps -> digest of the weights
  std::shared_ptr<const Checkpoints> checkpoints_ = std::make_shared<const Checkpoints>();
  v1::PolicyVersion current_version_;
  bool started_ = false;
  int ranks_ = 1;
  PlanPosition plan_;
  // Retired since the last step: many mean that the data or the policy gives no signal.
  int64_t retired_in_a_row_ = 0, unscorable_in_a_row_ = 0;
  std::string unscorable_detail_;
  std::map<v1::RetireReason, int64_t> retired_by_reason_;
  // What became of the newest groups, oldest first; RETIRE_UNSPECIFIED: accepted, or unscorable.
  std::deque<v1::RetireReason> recent_outcomes_;

  Changes changes_;
};

}  // namespace lvrpo
