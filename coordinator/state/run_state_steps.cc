// Steps and checkpoints of RunState. Groups are in run_state.cc.

#include <algorithm>

#include "absl/strings/str_cat.h"
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
    return absl::DataLossError(absl::StrCat("the records of the steps from ", first, " on are not whole"));
  }
  const int64_t frontier = step == 0 ? 0 : since.front().next_ordinal();
  ++generation_;
  std::set<int64_t> again;
  for (const auto& [ordinal, group] : groups_) again.insert(ordinal);
  for (const v1::StepRecord& record : since) {
    if (record.step() >= step) again.insert(record.ordinals().begin(), record.ordinals().end());
  }
  groups_.clear();
  leases_.clear();
  closed_.clear();
  abandoned_from_ = step;
  forgotten_from_ = frontier;
  for (const int64_t ordinal : again) {
    if (ordinal < frontier) Plan(ordinal, FirstAttempt(generation_));
  }
  next_ordinal_ = frontier;
  chain_ = since[static_cast<size_t>(step - first)].previous_digest();
  last_step_ = step == 0 ? nullptr : std::make_shared<const v1::StepRecord>(since.front());
  auto kept = std::make_shared<Checkpoints>(*checkpoints_);
  kept->erase(kept->upper_bound(step), kept->end());
  checkpoints_ = std::move(kept);
  return absl::OkStatus();
}

absl::Status RunState::StartTraining(const v1::PolicyVersion& version,
                                     const std::vector<v1::StepRecord>& since) {
  if (absl::Status status = CheckStart(version); !status.ok()) return status;
  const int64_t step = version.number();
  if (step < committed_steps()) {
    if (absl::Status status = GoBack(step, since); !status.ok()) return status;
  } else {
    // Groups of these weights, or older ones within max_staleness, remain usable; an assigned step stays
    // assigned.
    std::vector<int64_t> again;
    for (const auto& [ordinal, group] : groups_) {
      if (group->state() == v1::PLANNED) continue;
      if (group->version().number() == step && group->version().digest() != version.digest())
        again.push_back(ordinal);
    }
    for (const int64_t ordinal : again) PlanAgain(ordinal);
  }
  if (step == 0 && base_digest_.empty()) {
    base_digest_ = version.digest();
    facts_changed_ = true;
  }
  current_version_ = version;
  started_ = true;
  return absl::OkStatus();
}

absl::StatusOr<std::vector<const v1::GroupRecord*>> RunState::Assign(int64_t step) {
  if (step != committed_steps()) {
    return absl::FailedPreconditionError(
        absl::StrCat("step ", step, " was asked for; the next step is ", committed_steps()));
  }
  std::vector<const v1::GroupRecord*> assigned;
  std::vector<int64_t> complete, stale;
  for (const auto& [ordinal, group] : groups_) {
    if (group->state() == v1::ASSIGNED) assigned.push_back(group.get());
    if (group->state() != v1::COMPLETE) continue;
    const bool too_old = step - group->version().number() > rules_.max_staleness;
    (too_old ? stale : complete).push_back(ordinal);
  }
  for (const int64_t ordinal : stale) PlanAgain(ordinal);
  if (!assigned.empty()) return assigned;
  if (complete.size() < static_cast<size_t>(rules_.groups_per_step)) return assigned;
  complete.resize(static_cast<size_t>(rules_.groups_per_step));
  for (const int64_t ordinal : complete) {
    v1::GroupRecord& group = Edit(ordinal);
    group.set_state(v1::ASSIGNED);
    group.set_step(step);
    assigned.push_back(&group);
  }
  return assigned;
}

absl::Status RunState::Commit(const v1::CommitStepRequest& request, double unix_seconds) {
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
  std::set<int64_t> assigned;
  for (const auto& [ordinal, group] : groups_) {
    if (group->state() == v1::ASSIGNED) assigned.insert(ordinal);
  }
  if (assigned != std::set<int64_t>(request.ordinals().begin(), request.ordinals().end()) ||
      request.ordinals_size() != static_cast<int>(assigned.size()) ||
      assigned.size() != static_cast<size_t>(rules_.groups_per_step)) {
    return absl::FailedPreconditionError(
        absl::StrCat("step ", request.step(), " consumed groups that were not assigned to it"));
  }
  closed_.clear();
  std::vector<std::string> consumed;
  auto record = std::make_shared<v1::StepRecord>();
  for (const int64_t ordinal : assigned) {
    v1::GroupRecord& group = Edit(ordinal);
    group.set_state(v1::CONSUMED);
    consumed.push_back(group.SerializeAsString());
    closed_[ordinal] = groups_.at(ordinal);
    groups_.erase(ordinal);
    record->add_ordinals(ordinal);
  }
  record->set_step(request.step());
  *record->mutable_new_version() = request.new_version();
  record->set_next_ordinal(next_ordinal_);
  record->set_metrics_json(request.metrics_json());
  record->set_unix_seconds(unix_seconds);
  record->set_previous_digest(chain_);
  record->set_groups_digest(GroupsDigest(consumed));
  chain_ = RecordDigest(record->SerializeAsString());
  retired_in_a_row_ = 0;
  last_step_ = std::move(record);
  step_is_new_ = true;
  current_version_ = request.new_version();
  started_ = true;
  return absl::OkStatus();
}

void RunState::Lose(const std::vector<int64_t>& ordinals, const std::string& reason) {
  for (const int64_t ordinal : ordinals) {
    const auto group = groups_.find(ordinal);
    if (group == groups_.end()) continue;
    if (group->second->state() == v1::COMPLETE || group->second->state() == v1::ASSIGNED)
      Fail(ordinal, reason);
  }
  // A step that lost a group is assigned anew once it has its full number again.
  std::vector<int64_t> waiting;
  for (const auto& [ordinal, group] : groups_) {
    if (group->state() == v1::ASSIGNED) waiting.push_back(ordinal);
  }
  for (const int64_t ordinal : waiting) {
    v1::GroupRecord& group = Edit(ordinal);
    group.set_state(v1::COMPLETE);
    group.clear_step();
  }
}

absl::Status RunState::RecordCheckpoint(v1::CheckpointRecord* checkpoint) {
  const int64_t step = checkpoint->step();
  if (step > committed_steps()) {
    return absl::AbortedError(absl::StrCat("a checkpoint of ", step, " steps, but only ", committed_steps(),
                                           " are recorded: the learner must start again from the records"));
  }
  if (step != committed_steps()) {
    return absl::InvalidArgumentError(absl::StrCat("a checkpoint of ", step, " steps, where ",
                                                   committed_steps(),
                                                   " are recorded: only the newest step can be saved"));
  }
  v1::PolicyVersion version = current_version_;
  if (step == 0 && version.digest().empty()) version.set_digest(base_digest_);  // after a coordinator restart
  if (version.digest().empty())
    return absl::InvalidArgumentError("a checkpoint before the learner has said where it starts");
  *checkpoint->mutable_version() = version;
  RestoreCheckpoint(*checkpoint);
  facts_changed_ = true;
  return absl::OkStatus();
}

}  // namespace lvrpo
