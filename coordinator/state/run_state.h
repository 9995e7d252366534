#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
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
// Pure: no clock, lock, socket or disk; time is an argument. Each method that changes anything leaves the
// changed groups in `dirty()` for the store to write in the same transaction. A copy costs a few pointers per
// group: callers change a copy, write it, and only then keep it, so memory is never ahead of the disk. Memory
// does not grow with the run. Not thread-safe.
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
  void RestoreRetired(const std::map<std::string, int64_t>& by_reason) { retired_by_reason_ = by_reason; }
  void RestoreNextOrdinal(int64_t next, int32_t generation) {
    next_ordinal_ = next;
    generation_ = generation;
  }

  // --- Leases.
  struct LeaseDecision {
    const v1::GroupRecord* group = nullptr;  // null: nothing to lease
    std::string waiting_for;                 // why not
  };
  // Leases the lowest planned ordinal, or a new one while leased + complete + assigned groups are fewer than
  // (max_staleness + 1) * groups_per_step: then no sample can become too old. Only for the current version,
  // and after a pause for a member whose last lease reached its limit.
  LeaseDecision Lease(const std::string& member, int64_t incarnation, const v1::PolicyVersion& version,
                      const std::string& lease_id, absl::Time now);
  // Extends the member's leases on these ordinals, up to their limit; returns those it no longer has.
  std::vector<int64_t> RenewLeases(const std::string& member, const std::vector<int64_t>& ordinals,
                                   absl::Time now);
  // Plans the ordinals of expired leases again.
  struct EndedLeases {
    int count = 0;
    std::vector<std::string> at_limit;  // those that were renewed up to their limit, in words
  };
  EndedLeases ExpireLeases(absl::Time now);
  // Whether ExpireLeases has anything to do.
  bool AnyLeaseEnded(absl::Time now) const;
  // Plans the member's leases again, except `kept`.
  void DropLeasesOf(const std::string& member, const std::set<int64_t>& kept);
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
  absl::Status StartTraining(const v1::PolicyVersion& version, const std::vector<v1::StepRecord>& since);
  // The groups of the next step, lowest ordinals first; the same set when asked again. Empty: not enough yet.
  absl::StatusOr<std::vector<const v1::GroupRecord*>> Assign(int64_t step);
  // Idempotent. FailedPrecondition when the step or its groups are not the assigned ones.
  absl::Status Commit(const v1::CommitStepRequest& request, double unix_seconds);
  // Unusable groups: planned again. `reason` is recorded for one that failed too often.
  void Lose(const std::vector<int64_t>& ordinals, const std::string& reason);
  // A checkpoint of the current line of steps: its version is filled in. Aborted when it is ahead of the
  // records, InvalidArgument when the step was not taken or cannot be named.
  absl::Status RecordCheckpoint(v1::CheckpointRecord* checkpoint);

  // --- Accessors.
  int64_t committed_steps() const { return last_step_ == nullptr ? 0 : last_step_->step() + 1; }
  bool finished() const { return committed_steps() >= rules_.total_steps; }
  bool started() const { return started_; }
  // A new learner has not started training yet: nothing is leased until it does.
  void AwaitLearner() { started_ = false; }
  const v1::PolicyVersion& current_version() const { return current_version_; }
  const v1::StepRecord* last_step() const { return last_step_.get(); }
  const std::string& base_digest() const { return base_digest_; }  // of version 0; empty: not known yet
  int64_t next_ordinal() const { return next_ordinal_; }
  // Lower ordinals are closed for good.
  int64_t lowest_open_ordinal() const { return groups_.empty() ? next_ordinal_ : groups_.begin()->first; }
  int32_t generation() const { return generation_; }
  int Count(v1::GroupState state) const;
  // Counted by the text before the reason's first colon.
  const std::map<std::string, int64_t>& retired_by_reason() const { return retired_by_reason_; }
  int64_t consumed() const { return committed_steps() * rules_.groups_per_step; }
  // Retired for data reasons since the last step: many mean that the data or the policy gives no signal.
  int64_t retired_in_a_row() const { return retired_in_a_row_; }
  // Outcomes of the newest groups, oldest first: "accepted" or why not.
  const std::deque<std::string>& recent_outcomes() const { return recent_outcomes_; }
  // Groups in a row returned as "unscorable", and the newest one's message.
  int64_t unscorable_in_a_row() const { return unscorable_in_a_row_; }
  const std::string& unscorable_reason() const { return unscorable_reason_; }
  const std::map<int64_t, std::shared_ptr<const v1::GroupRecord>>& active_groups() const { return groups_; }
  int64_t newest_checkpoint() const { return checkpoints_->empty() ? -1 : checkpoints_->rbegin()->first; }
  const RunRules& rules() const { return rules_; }

  // Groups and steps changed since the last call of ClearDirty(). Deleted ordinals are no longer in groups.
  const std::map<int64_t, std::shared_ptr<const v1::GroupRecord>>& dirty() const { return dirty_; }
  const v1::StepRecord* new_step() const { return step_is_new_ ? last_step_.get() : nullptr; }
  // Set when steps from this one on were abandoned (the store moves them and their checkpoints aside) and
  // ordinals from `forgotten_from` on forgotten; -1 otherwise.
  int64_t abandoned_from() const { return abandoned_from_; }
  int64_t forgotten_from() const { return forgotten_from_; }
  bool changed() const { return !dirty_.empty() || step_is_new_ || abandoned_from_ >= 0 || facts_changed_; }
  void ClearDirty();

 private:
  struct LeaseTimes {
    absl::Time ends, limit;
  };
  struct Lateness {
    int times = 0;
    absl::Time until;  // the member is granted no lease before
  };

  // A copy of the open group, to be changed; marks it dirty.
  v1::GroupRecord& Edit(int64_t ordinal);
  v1::GroupRecord& Plan(int64_t ordinal, int32_t attempt);
  void PlanAgain(int64_t ordinal);
  // Counts a failure: planned again, or retired when there were too many.
  void Fail(int64_t ordinal, const std::string& reason);
  void Retire(int64_t ordinal, const std::string& reason);
  void NoteOutcome(const std::string& outcome);
  absl::Status CheckStart(const v1::PolicyVersion& version) const;
  absl::Status GoBack(int64_t step, const std::vector<v1::StepRecord>& since);
  int Active() const { return static_cast<int>(groups_.size()); }

  RunRules rules_;
  std::map<int64_t, std::shared_ptr<const v1::GroupRecord>> groups_;  // PLANNED to ASSIGNED
  std::map<int64_t, LeaseTimes> leases_;                              // of LEASED groups
  std::map<std::string, Lateness> late_;                              // by member
  // RETIRED (the newest of them) and CONSUMED since the last step: for repeated submits.
  std::map<int64_t, std::shared_ptr<const v1::GroupRecord>> closed_;
  std::shared_ptr<const v1::StepRecord> last_step_;
  std::string chain_;  // digest that the next step's record names
  std::string base_digest_;
  using Checkpoints = std::map<int64_t, std::string>;  // committed steps -> digest of the weights
  std::shared_ptr<const Checkpoints> checkpoints_ = std::make_shared<const Checkpoints>();
  v1::PolicyVersion current_version_;
  bool started_ = false;
  int64_t next_ordinal_ = 0;
  int32_t generation_ = 0;  // how often steps were abandoned; keeps attempts of replanned ordinals apart
  int64_t retired_in_a_row_ = 0, unscorable_in_a_row_ = 0;
  std::string unscorable_reason_;
  std::map<std::string, int64_t> retired_by_reason_;
  std::deque<std::string> recent_outcomes_;

  std::map<int64_t, std::shared_ptr<const v1::GroupRecord>> dirty_;
  bool step_is_new_ = false, facts_changed_ = false;
  int64_t abandoned_from_ = -1, forgotten_from_ = -1;
};

// max - min <= 1e-6 in every component that the samples have.
bool HasZeroVariance(const google::protobuf::RepeatedPtrField<v1::SampleSummary>& samples);

// Why a complete group is unusable; empty when it is not.
std::string SamplesFault(const google::protobuf::RepeatedPtrField<v1::SampleSummary>& samples);

// The key under which a reason is counted: the text before its first colon, of bounded length.
std::string ReasonClass(const std::string& reason);

}  // namespace lvrpo
