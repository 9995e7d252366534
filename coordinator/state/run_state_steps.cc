// Steps and checkpoints of RunState. Groups are in run_state.cc.

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "coordinator/state/digests.h"
#include "coordinator/state/run_state.h"
#include "coordinator/state/versions.h"

namespace lvrpo {

void RunState::RestoreLastStep(const v1::StepRecord& step, const std::string& digest) {
  last_step_ = std::make_shared<const v1::StepRecord>(step);
  chain_ = digest;
  current_version_ = step.new_version();
}

void RunState::RestoreCheckpoint(const v1::CheckpointRecord& checkpoint) {
  auto all = std::make_shared<Checkpoints>(*checkpoints_);
  (*all)[checkpoint.step()] = checkpoint.version().digest();
  checkpoints_ = std::move(all);
}

// Whether the learner may start at `version` at all.
absl::Status RunState::CheckStart(const v1::PolicyVersion& version) const {
  const int64_t step = version.number(), committed = committed_steps();
  if (step < 0 || version.digest().empty()) {
    return absl::InvalidArgumentError(
        "the learner starts with a version that is not negative, and its digest");
  }
  if (step > committed) {
    return absl::AbortedError(absl::StrCat("the learner starts after ", step, " steps, but only ", committed,
                                           " are recorded: it must start again from the records"));
  }
  if (step == 0 && !base_digest_.empty() && version.digest() != base_digest_) {
    return absl::InvalidArgumentError(
        absl::StrCat("the learner's base weights (", version.digest().substr(0, 12),
                     ") are not those that the run began with (", base_digest_.substr(0, 12),
                     "): put the policy's files back as they were"));
  }
  if (step == committed && step > 0 && last_step_->new_version().digest() != version.digest()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the learner's weights after ", step, " steps are not those that the records name"));
  }
  if (step == committed) return absl::OkStatus();
  const auto checkpoint = checkpoints_->find(step);
  if (step == 0 && newest_checkpoint() <= 0) return absl::OkStatus();
  if (checkpoint == checkpoints_->end()) {
    return absl::FailedPreconditionError(
        absl::StrCat("a run goes back to its recorded checkpoints only: there is none of ", step,
                     " steps, and the newest is of ", newest_checkpoint()));
  }
  if (checkpoint->second != version.digest()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the learner's weights after ", step, " steps are not those that the records name"));
  }
  return absl::OkStatus();
}

// Rolls the plan back to when step `step - 1` committed. Every ordinal below its frontier that no surviving
// step consumed is planned again; those above are dropped and will be planned in order.
absl::Status RunState::GoBack(int64_t step, const std::vector<v1::StepRecord>& since) {
  const int64_t first = step == 0 ? 0 : step - 1;
  if (since.empty() || since.front().step() != first ||
      static_cast<int64_t>(since.size()) != committed_steps() - first) {
    return absl::DataLossError(absl::StrCat("the records of the steps from ", first, " on are not complete"));
  }
  PlanPosition plan = plan_;
  plan.next_ordinal = step == 0 ? 0 : since.front().next_ordinal();
  ++plan.generation;
  plan.first_attempt = ++plan.highest_attempt;
  std::set<int64_t> again;
  for (const auto& [ordinal, group] : groups_) again.insert(ordinal);
  for (const v1::StepRecord& record : since) {
    if (record.step() >= step) again.insert(record.ordinals().begin(), record.ordinals().end());
  }
  groups_.clear();
  leases_.clear();
  closed_.clear();
  changes_.abandoned = {.step = step, .ordinal = plan.next_ordinal};
  PlanNext(plan);
  for (const int64_t ordinal : again) {
    if (ordinal < plan.next_ordinal) Plan(ordinal, plan.first_attempt, RankWithRoom());
  }
  chain_ = since[static_cast<size_t>(step - first)].previous_digest();
  last_step_ = step == 0 ? nullptr : std::make_shared<const v1::StepRecord>(since.front());
  current_version_ = {};
  current_version_.set_digest(base_digest_);
  if (step > 0) current_version_ = last_step_->new_version();
  auto kept = std::make_shared<Checkpoints>(*checkpoints_);
  kept->erase(kept->upper_bound(step), kept->end());
  checkpoints_ = std::move(kept);
  return absl::OkStatus();
}

absl::Status RunState::GoBackTo(int64_t step, const std::vector<v1::StepRecord>& since) {
  if (step < 0 || step > committed_steps()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the run has taken ", committed_steps(), " steps: it cannot go back to ", step));
  }
  if (step > 0 && !checkpoints_->contains(step)) {
    std::vector<int64_t> recorded;
    for (const auto& [of, digest] : *checkpoints_) recorded.push_back(of);
    return absl::FailedPreconditionError(
        absl::StrCat("no checkpoint of ", step, " steps is recorded; there are those of 0 (the base)",
                     recorded.empty() ? "" : ", ", absl::StrJoin(recorded, ", ")));
  }
  started_ = false;
  return step == committed_steps() ? absl::OkStatus() : GoBack(step, since);
}

void RunState::Unassign() {
  for (const int64_t ordinal : OrdinalsOf(v1::ASSIGNED)) {
    v1::GroupRecord& group = Edit(ordinal);
    group.set_state(v1::COMPLETE);
    group.clear_step();
  }
}

void RunState::PlaceAgain() {
  std::vector<int64_t> gone;
  bool assigned = false;
  for (const auto& [ordinal, group] : groups_) {
    if (group->state() == v1::PLANNED || group->rank() < ranks_) continue;
    gone.push_back(ordinal);
    assigned = assigned || group->state() == v1::ASSIGNED;
  }
  for (const int64_t ordinal : gone) PlanAgain(ordinal);
  if (assigned) Unassign();
  // Nobody has anything of these yet.
  const std::vector<int64_t> planned = OrdinalsOf(v1::PLANNED);
  std::set<int64_t> left(planned.begin(), planned.end());
  for (const int64_t ordinal : planned) {
    const int rank = RankWithRoom(left);
    if (groups_.at(ordinal)->rank() != rank) Edit(ordinal).set_rank(rank);
    left.erase(ordinal);
  }
}

absl::Status RunState::StartTraining(const v1::PolicyVersion& version,
                                     const std::vector<v1::StepRecord>& since, int ranks) {
  if (absl::Status status = CheckStart(version); !status.ok()) return status;
  ranks_ = ranks;
  const int64_t step = version.number();
  // Otherwise these are the weights that open groups were leased for: groups remain usable, and an assigned
  // step stays assigned.
  if (step < committed_steps()) {
    if (absl::Status status = GoBack(step, since); !status.ok()) return status;
  }
  PlaceAgain();
  if (step == 0 && base_digest_.empty()) {
    base_digest_ = version.digest();
    changes_.base_digest = base_digest_;
  }
  current_version_ = version;
  started_ = true;
  return absl::OkStatus();
}

absl::StatusOr<std::vector<GroupPointer>> RunState::Assign(int64_t step) {
  if (step != committed_steps()) {
    return absl::FailedPreconditionError(
        absl::StrCat("step ", step, " was asked for; the next step is ", committed_steps()));
  }
  for (const int64_t ordinal : OrdinalsOf(v1::COMPLETE)) {
    if (step - groups_.at(ordinal)->version().number() > rules_.max_staleness) PlanAgain(ordinal);
  }
  std::vector<int64_t> ordinals = OrdinalsOf(v1::ASSIGNED);
  if (ordinals.empty()) {
    ordinals = OrdinalsOf(v1::COMPLETE);
    const auto wanted = static_cast<size_t>(rules_.groups_per_step);
    ordinals.resize(ordinals.size() < wanted ? 0 : wanted);
    for (const int64_t ordinal : ordinals) {
      v1::GroupRecord& group = Edit(ordinal);
      group.set_state(v1::ASSIGNED);
      group.set_step(step);
    }
  }
  std::vector<GroupPointer> assigned;
  for (const int64_t ordinal : ordinals) assigned.push_back(groups_.at(ordinal));
  return assigned;
}

// Closes the step's groups; the record has their ordinals and digest.
std::shared_ptr<v1::StepRecord> RunState::Consume(const std::set<int64_t>& ordinals) {
  closed_.clear();
  std::vector<std::string> consumed;
  auto record = std::make_shared<v1::StepRecord>();
  for (const int64_t ordinal : ordinals) {
    v1::GroupRecord& group = Edit(ordinal);
    group.set_state(v1::CONSUMED);
    consumed.push_back(RecordBytes(group));
    closed_[ordinal] = groups_.at(ordinal);
    groups_.erase(ordinal);
    record->add_ordinals(ordinal);
  }
  record->set_groups_digest(GroupsDigest(consumed));
  return record;
}

absl::Status RunState::Commit(const v1::CommitStepRequest& request, double unix_seconds, int ranks) {
  if (last_step_ != nullptr && request.step() == last_step_->step() &&
      SameVersion(last_step_->new_version(), request.new_version())) {
    return absl::OkStatus();  // a repeated commit
  }
  if (request.step() != committed_steps()) {
    return absl::FailedPreconditionError(
        absl::StrCat("step ", request.step(), " cannot commit; the next step is ", committed_steps()));
  }
  if (request.new_version().number() != request.step() + 1 || request.new_version().digest().empty()) {
    return absl::InvalidArgumentError("a step's new version must be its number plus one, with a digest");
  }
  const std::vector<int64_t> in_order = OrdinalsOf(v1::ASSIGNED);
  const std::set<int64_t> assigned(in_order.begin(), in_order.end());
  if (assigned != std::set<int64_t>(request.ordinals().begin(), request.ordinals().end()) ||
      request.ordinals_size() != static_cast<int>(assigned.size()) ||
      assigned.size() != static_cast<size_t>(rules_.groups_per_step)) {
    return absl::FailedPreconditionError(
        absl::StrCat("step ", request.step(), " consumed groups that were not assigned to it"));
  }
  std::shared_ptr<v1::StepRecord> record = Consume(assigned);
  record->set_step(request.step());
  *record->mutable_new_version() = request.new_version();
  record->set_next_ordinal(plan_.next_ordinal);
  *record->mutable_metrics() = request.metrics();
  record->set_unix_seconds(unix_seconds);
  ranks_ = ranks;
  if (ranks > 1) record->set_ranks(ranks);
  record->set_previous_digest(chain_);
  chain_ = RecordDigest(RecordBytes(*record));
  retired_in_a_row_ = 0;
  last_step_ = std::move(record);
  changes_.step = last_step_;
  current_version_ = request.new_version();
  started_ = true;
  return absl::OkStatus();
}

void RunState::Lose(const google::protobuf::RepeatedPtrField<v1::LostGroup>& groups) {
  for (const v1::LostGroup& lost : groups) {
    const auto group = groups_.find(lost.ordinal());
    if (group == groups_.end()) continue;
    if (group->second->state() == v1::COMPLETE || group->second->state() == v1::ASSIGNED)
      Fail(lost.ordinal(), lost.reason(), lost.detail());
  }
  Unassign();
}

std::string RunState::WeightsOf(int64_t step) const {
  if (step == committed_steps() && !current_version_.digest().empty()) return current_version_.digest();
  return step == 0 ? base_digest_ : "";  // the current version is not known after a coordinator restart
}

absl::Status RunState::RecordCheckpoint(v1::CheckpointRecord* checkpoint, const std::string& made,
                                        const std::string& held) {
  const int64_t step = checkpoint->step();
  if (step > committed_steps()) {
    return absl::AbortedError(absl::StrCat("a checkpoint of ", step, " steps, but only ", committed_steps(),
                                           " are recorded: the learner must start again from the records"));
  }
  if (made.empty())
    return absl::InvalidArgumentError("a checkpoint before the learner has said where it starts");
  if (!held.empty() && held != made) {
    return absl::AbortedError(absl::StrCat("a checkpoint of ", step,
                                           " steps with other weights than these steps made: the learner "
                                           "must start again from the records"));
  }
  checkpoint->mutable_version()->set_number(step);
  checkpoint->mutable_version()->set_digest(made);
  RestoreCheckpoint(*checkpoint);
  changes_.checkpoint = *checkpoint;
  return absl::OkStatus();
}

}  // namespace lvrpo
