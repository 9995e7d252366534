#pragma once

#include <cstdint>
#include <map>
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
};

// The state machine of a run: groups, leases, steps, versions.
//
//   PLANNED -> LEASED -> COMPLETE -> ASSIGNED(step) -> CONSUMED(step)
//      ^         |           |           |
//      +---------+-----------+-----------+   infrastructure: the same ordinal, next attempt
//                \-----------+-> RETIRED(reason)   data: another ordinal takes its place
//
// Pure: no clock, lock, socket or disk; time comes as an argument. Each method that changes anything leaves
// the changed groups in `dirty()` for the store to write in the same transaction. Not thread-safe.
class RunState {
 public:
  explicit RunState(RunRules rules) : rules_(rules) {}

  // --- Restoring what the store holds.
  void RestoreGroup(const v1::GroupRecord& group, absl::Time now);
  void RestoreStep(const v1::StepRecord& step) {
    steps_.push_back(step);
    current_version_ = step.new_version();
  }
  void RestoreNextOrdinal(int64_t next, int32_t generation) {
    next_ordinal_ = next;
    generation_ = generation;
  }

  // --- Leases.
  struct LeaseDecision {
    v1::GroupRecord* group = nullptr;  // null: nothing to lease
    std::string waiting_for;           // why not
  };
  // Leases the lowest planned ordinal, or a new one while leased + complete + assigned groups are fewer than
  // (max_staleness + 1) * groups_per_step: then no sample can become too old. Only for the current version.
  LeaseDecision Lease(const std::string& member, const v1::PolicyVersion& version,
                      const std::string& lease_id, absl::Time now);
  // Extends the member's leases on these ordinals; returns those it no longer has.
  std::vector<int64_t> RenewLeases(const std::string& member, const std::vector<int64_t>& ordinals,
                                   absl::Time now);
  // Plans the ordinals of leases that ended again. Returns how many.
  int ExpireLeases(absl::Time now);
  // Plans the member's leases again, but for `kept`.
  void DropLeasesOf(const std::string& member, const std::set<int64_t>& kept);
  // The worker gives a lease back: FailedPrecondition when it is not its own.
  absl::Status Return(const v1::ReturnLeaseRequest& request);

  // --- Groups.
  // Accepts, retires (zero variance, too old) or refuses a finished group. A repeated submit of an accepted
  // group gets the first answer.
  absl::StatusOr<v1::SubmitGroupResponse> Submit(const v1::SubmitGroupRequest& request);

  // --- Steps.
  // The learner serves `version` and starts at `version.version()` committed steps. Steps after that are
  // abandoned: their groups are planned again in order. InvalidArgument when it is ahead of the records.
  absl::Status StartTraining(const v1::PolicyVersion& version);
  // The groups of the next step, lowest ordinals first; the same set when asked again. Empty: not enough yet.
  absl::StatusOr<std::vector<const v1::GroupRecord*>> Assign(int64_t step);
  // Idempotent. FailedPrecondition when the step or its groups are not the assigned ones.
  absl::Status Commit(const v1::CommitStepRequest& request, double unix_seconds);
  // Groups whose trajectories the learner lost or cannot use: planned again.
  void Lose(const std::vector<int64_t>& ordinals);

  // --- Looking.
  int64_t committed_steps() const { return static_cast<int64_t>(steps_.size()); }
  bool finished() const { return committed_steps() >= rules_.total_steps; }
  bool started() const { return started_; }
  // A new learner process is there, which has not said yet where it starts: nothing is leased until it does.
  void AwaitLearner() { started_ = false; }
  const v1::PolicyVersion& current_version() const { return current_version_; }
  const std::vector<v1::StepRecord>& steps() const { return steps_; }
  int64_t next_ordinal() const { return next_ordinal_; }
  // Nothing will be asked of lower ordinals any more.
  int64_t lowest_open_ordinal() const { return groups_.empty() ? next_ordinal_ : groups_.begin()->first; }
  int32_t generation() const { return generation_; }
  int Count(v1::GroupState state) const;
  std::map<std::string, int64_t> retired_by_reason() const { return retired_by_reason_; }
  int64_t consumed() const { return consumed_; }
  // Retired for data reasons since the last step: many mean that the data or the policy gives no signal.
  int64_t retired_in_a_row() const { return retired_in_a_row_; }
  const std::map<int64_t, v1::GroupRecord>& active_groups() const { return groups_; }
  const RunRules& rules() const { return rules_; }

  // Groups and steps changed since the last call of ClearDirty(). Deleted ordinals are no longer in groups.
  const std::map<int64_t, v1::GroupRecord>& dirty() const { return dirty_; }
  const std::vector<v1::StepRecord>& new_steps() const { return new_steps_; }
  // Set when steps from this one on were abandoned (the store moves them aside) and ordinals from
  // `abandoned_ordinals_from` on forgotten.
  int64_t abandoned_from() const { return abandoned_from_; }
  int64_t forgotten_from() const { return forgotten_from_; }
  void ClearDirty();

 private:
  v1::GroupRecord& Plan(int64_t ordinal, int32_t attempt);
  void PlanAgain(v1::GroupRecord& group);
  // Counts a failure: planned again, or retired when there were too many.
  void Fail(v1::GroupRecord& group, const std::string& reason);
  void Retire(v1::GroupRecord& group, const std::string& reason);
  void Touch(const v1::GroupRecord& group) { dirty_[group.ordinal()] = group; }
  int Active() const { return static_cast<int>(groups_.size()); }

  const RunRules rules_;
  std::map<int64_t, v1::GroupRecord> groups_;  // PLANNED to ASSIGNED
  std::map<int64_t, absl::Time> lease_ends_;   // of LEASED groups
  std::map<int64_t, v1::GroupRecord>
      closed_;  // RETIRED and CONSUMED since the last step: for repeated submits
  std::vector<v1::StepRecord> steps_;
  v1::PolicyVersion current_version_;
  bool started_ = false;
  int64_t next_ordinal_ = 0;
  int32_t generation_ = 0;  // times that steps were abandoned; keeps attempts of replanned ordinals apart
  int64_t consumed_ = 0, retired_in_a_row_ = 0;
  std::map<std::string, int64_t> retired_by_reason_;

  std::map<int64_t, v1::GroupRecord> dirty_;
  std::vector<v1::StepRecord> new_steps_;
  int64_t abandoned_from_ = -1, forgotten_from_ = -1;
};

// max - min <= 1e-6 in every component that the samples have.
bool HasZeroVariance(const std::vector<v1::SampleSummary>& samples);

}  // namespace lvrpo
