#include "coordinator/run_state.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"

namespace lvrpo {
namespace {

constexpr int32_t kAttemptsPerGeneration = 100000;
constexpr char kNoReward[] = "no_reward";
constexpr char kBadPrompt[] = "bad_prompt";

bool SameVersion(const v1::PolicyVersion& a, const v1::PolicyVersion& b) {
  return a.version() == b.version() && a.digest() == b.digest();
}

std::string Describe(const v1::PolicyVersion& version) {
  return absl::StrCat(version.version(), " (", version.digest().substr(0, 12), ")");
}

// Why a complete-looking group may not be trained on; empty when it may.
std::string Fault(const v1::SubmitGroupRequest& request) {
  if (!request.log_probs_finite()) return "log_probs_not_finite";
  for (const v1::SampleSummary& sample : request.samples()) {
    if (sample.scores().empty()) return kNoReward;
    if (!std::isfinite(sample.reward())) return "reward_not_finite";
    for (const v1::ComponentScore& score : sample.scores()) {
      if (score.outcome() == v1::ComponentScore::INVALID_INPUT) return kBadPrompt;
      if (score.outcome() != v1::ComponentScore::OK) return "reward_failed";
      if (!std::isfinite(score.score())) return "reward_not_finite";
    }
  }
  return "";
}

// Reasons that another attempt of the same prompt cannot mend.
bool IsDataFault(const std::string& reason) { return reason == kNoReward || reason == kBadPrompt; }

// Reasons that say nothing about the prompt: however often they come, it is sampled again.
bool IsOutage(const std::string& reason) {
  return reason == "drain" || reason == "reward_unreachable" || reason == "learner_unreachable";
}

}  // namespace

bool HasZeroVariance(const std::vector<v1::SampleSummary>& samples) {
  std::map<std::string, std::pair<float, float>> range;
  for (const v1::SampleSummary& sample : samples) {
    for (const v1::ComponentScore& score : sample.scores()) {
      auto [entry, fresh] = range.try_emplace(score.name(), score.score(), score.score());
      entry->second.first = std::min(entry->second.first, score.score());
      entry->second.second = std::max(entry->second.second, score.score());
    }
  }
  return std::all_of(range.begin(), range.end(),
                     [](const auto& entry) { return entry.second.second - entry.second.first <= 1e-6f; });
}

void RunState::ClearDirty() {
  dirty_.clear();
  new_steps_.clear();
  abandoned_from_ = forgotten_from_ = -1;
}

int RunState::Count(v1::GroupState state) const {
  return static_cast<int>(std::count_if(
      groups_.begin(), groups_.end(), [state](const auto& entry) { return entry.second.state() == state; }));
}

void RunState::RestoreGroup(const v1::GroupRecord& group, absl::Time now) {
  if (group.state() == v1::CONSUMED) {
    ++consumed_;
    return;
  }
  if (group.state() == v1::RETIRED) {
    ++retired_by_reason_[group.retired_reason()];
    closed_[group.ordinal()] = group;
    return;
  }
  groups_[group.ordinal()] = group;
  if (group.state() == v1::LEASED) lease_ends_[group.ordinal()] = now + rules_.lease;
}

v1::GroupRecord& RunState::Plan(int64_t ordinal, int32_t attempt) {
  v1::GroupRecord& group = groups_[ordinal];
  group.Clear();
  group.set_ordinal(ordinal);
  group.set_attempt(attempt);
  group.set_state(v1::PLANNED);
  Touch(group);
  return group;
}

void RunState::PlanAgain(v1::GroupRecord& group) {
  const int32_t failures = group.failures();
  lease_ends_.erase(group.ordinal());
  v1::GroupRecord& planned = Plan(group.ordinal(), group.attempt() + 1);
  planned.set_failures(failures);
  Touch(planned);
}

void RunState::Fail(v1::GroupRecord& group, const std::string& reason) {
  group.set_failures(group.failures() + 1);
  if (group.failures() >= rules_.max_failures) {
    Retire(group, reason);
  } else {
    PlanAgain(group);
  }
}

void RunState::Retire(v1::GroupRecord& group, const std::string& reason) {
  group.set_state(v1::RETIRED);
  group.set_retired_reason(reason);
  ++retired_by_reason_[reason];
  ++retired_in_a_row_;
  Touch(group);
  lease_ends_.erase(group.ordinal());
  closed_[group.ordinal()] = group;
  groups_.erase(group.ordinal());
}

RunState::LeaseDecision RunState::Lease(const std::string& member, const v1::PolicyVersion& version,
                                        const std::string& lease_id, absl::Time now) {
  if (finished()) return {nullptr, "nothing: the run has finished"};
  if (!started_) return {nullptr, "a learner that serves weights"};
  if (!SameVersion(version, current_version_)) {
    return {nullptr, absl::StrCat("weights of version ", Describe(current_version_), " at ", member,
                                  ", which holds ", Describe(version))};
  }
  v1::GroupRecord* group = nullptr;
  for (auto& [ordinal, candidate] : groups_) {
    if (candidate.state() == v1::PLANNED) {
      group = &candidate;
      break;
    }
  }
  if (group == nullptr) {
    // Nothing is sampled that no step will consume.
    const int64_t steps_left = rules_.total_steps - committed_steps();
    const int64_t capacity = std::min<int64_t>(rules_.max_staleness + 1, steps_left) * rules_.groups_per_step;
    if (Active() >= capacity) return {nullptr, absl::StrCat("step ", committed_steps(), " of the learner")};
    group = &Plan(next_ordinal_++, generation_ * kAttemptsPerGeneration);
  }
  group->set_state(v1::LEASED);
  group->set_lease_id(lease_id);
  group->set_member_id(member);
  *group->mutable_version() = version;
  lease_ends_[group->ordinal()] = now + rules_.lease;
  Touch(*group);
  return {group, ""};
}

std::vector<int64_t> RunState::RenewLeases(const std::string& member, const std::vector<int64_t>& ordinals,
                                           absl::Time now) {
  std::vector<int64_t> lost;
  for (const int64_t ordinal : ordinals) {
    const auto group = groups_.find(ordinal);
    if (group == groups_.end() || group->second.state() != v1::LEASED ||
        group->second.member_id() != member) {
      lost.push_back(ordinal);
    } else {
      lease_ends_[ordinal] = now + rules_.lease;
    }
  }
  return lost;
}

int RunState::ExpireLeases(absl::Time now) {
  std::vector<int64_t> ended;
  for (const auto& [ordinal, end] : lease_ends_) {
    if (end <= now) ended.push_back(ordinal);
  }
  for (const int64_t ordinal : ended) PlanAgain(groups_.at(ordinal));
  return static_cast<int>(ended.size());
}

void RunState::DropLeasesOf(const std::string& member, const std::set<int64_t>& kept) {
  std::vector<int64_t> dropped;
  for (const auto& [ordinal, group] : groups_) {
    if (group.state() == v1::LEASED && group.member_id() == member && !kept.contains(ordinal))
      dropped.push_back(ordinal);
  }
  for (const int64_t ordinal : dropped) PlanAgain(groups_.at(ordinal));
}

absl::Status RunState::Return(const v1::ReturnLeaseRequest& request) {
  const auto group = groups_.find(request.ordinal());
  if (group == groups_.end() || group->second.state() != v1::LEASED ||
      group->second.lease_id() != request.lease_id()) {
    return absl::FailedPreconditionError(absl::StrCat("the lease on ordinal ", request.ordinal(),
                                                      " is no longer ", request.fence().member_id(), "'s"));
  }
  if (request.data_is_at_fault()) {
    Retire(group->second, request.reason());
  } else if (IsOutage(request.reason())) {
    PlanAgain(group->second);
  } else {
    Fail(group->second, request.reason());
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::SubmitGroupResponse> RunState::Submit(const v1::SubmitGroupRequest& request) {
  v1::SubmitGroupResponse response;
  if (request.lease_id().empty()) return absl::InvalidArgumentError("a submit names its lease");
  const auto closed = closed_.find(request.ordinal());
  if (closed != closed_.end() && closed->second.lease_id() == request.lease_id()) {
    response.set_repeated_submit(true);
    response.set_accepted(closed->second.state() == v1::CONSUMED);
    response.set_retired_reason(closed->second.retired_reason());
    return response;
  }
  const auto found = groups_.find(request.ordinal());
  if (found == groups_.end() || found->second.lease_id() != request.lease_id() ||
      found->second.attempt() != request.attempt()) {
    return absl::FailedPreconditionError(absl::StrCat("the lease on ordinal ", request.ordinal(), " attempt ",
                                                      request.attempt(), " has ended"));
  }
  v1::GroupRecord& group = found->second;
  if (group.state() != v1::LEASED) {  // COMPLETE or ASSIGNED by the same lease
    response.set_accepted(true);
    response.set_repeated_submit(true);
    return response;
  }
  if (!SameVersion(request.version(), group.version())) {
    return absl::FailedPreconditionError(absl::StrCat("ordinal ", request.ordinal(),
                                                      " was leased for version ", Describe(group.version()),
                                                      " and sampled with ", Describe(request.version())));
  }
  if (request.samples_size() != rules_.group_size) {
    return absl::InvalidArgumentError(absl::StrCat("ordinal ", request.ordinal(), " has ",
                                                   request.samples_size(), " samples; groups have ",
                                                   rules_.group_size));
  }
  for (int slot = 0; slot < request.samples_size(); ++slot) {
    if (request.samples(slot).slot() != slot) {
      return absl::InvalidArgumentError(absl::StrCat("ordinal ", request.ordinal(), ": sample ", slot,
                                                     " is in slot ", request.samples(slot).slot()));
    }
  }
  group.set_kind(request.kind());
  *group.mutable_samples() = request.samples();
  group.set_trajectory_digest(request.trajectory_digest());
  if (const std::string fault = Fault(request); !fault.empty()) {
    response.set_retired_reason(fault);
    if (IsDataFault(fault)) {
      Retire(group, fault);
    } else {
      Fail(group, fault);
    }
    return response;
  }
  if (rules_.filter_zero_variance && HasZeroVariance({group.samples().begin(), group.samples().end()})) {
    response.set_retired_reason("zero_variance");
    Retire(group, "zero_variance");
    return response;
  }
  if (committed_steps() - group.version().version() > rules_.max_staleness) {
    response.set_retired_reason("stale");
    PlanAgain(group);
    return response;
  }
  group.set_state(v1::COMPLETE);
  lease_ends_.erase(group.ordinal());
  Touch(group);
  response.set_accepted(true);
  return response;
}

absl::Status RunState::StartTraining(const v1::PolicyVersion& version) {
  const int64_t step = version.version();
  if (step < 0 || version.digest().empty()) {
    return absl::InvalidArgumentError(
        "the learner starts with a version that is not negative, and its digest");
  }
  if (step > 0 && step <= committed_steps() &&
      steps_[static_cast<size_t>(step - 1)].new_version().digest() != version.digest()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the learner's weights after ", step, " steps are not those that the records name"));
  }
  if (step > committed_steps()) {
    return absl::InvalidArgumentError(absl::StrCat("the learner starts after ", step, " steps, but only ",
                                                   committed_steps(), " are recorded"));
  }
  const bool abandons = step < committed_steps();
  if (abandons) {
    // Back to the plan as it stood when step `step - 1` committed. Every ordinal below its frontier that no
    // surviving step consumed is planned again; those above are forgotten and will come again in order.
    const int64_t frontier = step == 0 ? 0 : steps_[static_cast<size_t>(step - 1)].next_ordinal();
    ++generation_;
    std::set<int64_t> again;
    for (const auto& [ordinal, group] : groups_) again.insert(ordinal);
    for (int64_t s = step; s < committed_steps(); ++s) {
      const v1::StepRecord& record = steps_[static_cast<size_t>(s)];
      again.insert(record.ordinals().begin(), record.ordinals().end());
      consumed_ -= record.ordinals_size();
    }
    groups_.clear();
    lease_ends_.clear();
    closed_.clear();
    abandoned_from_ = step;
    forgotten_from_ = frontier;
    for (const int64_t ordinal : again) {
      if (ordinal < frontier) Plan(ordinal, generation_ * kAttemptsPerGeneration);
    }
    next_ordinal_ = frontier;
    steps_.resize(static_cast<size_t>(step));
  } else {
    // Groups of these very weights, or older ones that are not too old, can still be trained on; an assigned
    // step stays assigned.
    std::vector<int64_t> again;
    for (auto& [ordinal, group] : groups_) {
      if (group.state() == v1::PLANNED) continue;
      if (group.version().version() == step && group.version().digest() != version.digest())
        again.push_back(ordinal);
    }
    for (const int64_t ordinal : again) PlanAgain(groups_.at(ordinal));
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
  std::vector<v1::GroupRecord*> complete;
  std::vector<int64_t> stale;
  for (auto& [ordinal, group] : groups_) {
    if (group.state() == v1::ASSIGNED) assigned.push_back(&group);
    if (group.state() != v1::COMPLETE) continue;
    if (step - group.version().version() > rules_.max_staleness) {
      stale.push_back(ordinal);
    } else {
      complete.push_back(&group);
    }
  }
  for (const int64_t ordinal : stale) PlanAgain(groups_.at(ordinal));
  if (!assigned.empty()) return assigned;
  if (complete.size() < static_cast<size_t>(rules_.groups_per_step)) return assigned;
  for (int i = 0; i < rules_.groups_per_step; ++i) {
    complete[static_cast<size_t>(i)]->set_state(v1::ASSIGNED);
    complete[static_cast<size_t>(i)]->set_step(step);
    Touch(*complete[static_cast<size_t>(i)]);
    assigned.push_back(complete[static_cast<size_t>(i)]);
  }
  return assigned;
}

absl::Status RunState::Commit(const v1::CommitStepRequest& request, double unix_seconds) {
  if (request.step() == committed_steps() - 1) {
    const v1::StepRecord& last = steps_.back();
    if (SameVersion(last.new_version(), request.new_version())) return absl::OkStatus();  // a repeated commit
  }
  if (request.step() != committed_steps()) {
    return absl::FailedPreconditionError(
        absl::StrCat("step ", request.step(), " cannot commit; the next step is ", committed_steps()));
  }
  if (request.new_version().version() != request.step() + 1 || request.new_version().digest().empty()) {
    return absl::InvalidArgumentError("a step's new version must be its number plus one, with a digest");
  }
  std::set<int64_t> assigned;
  for (const auto& [ordinal, group] : groups_) {
    if (group.state() == v1::ASSIGNED) assigned.insert(ordinal);
  }
  if (assigned != std::set<int64_t>(request.ordinals().begin(), request.ordinals().end()) ||
      assigned.size() != static_cast<size_t>(rules_.groups_per_step)) {
    return absl::FailedPreconditionError(
        absl::StrCat("step ", request.step(), " consumed groups that were not assigned to it"));
  }
  v1::StepRecord record;
  record.set_step(request.step());
  *record.mutable_ordinals() = request.ordinals();
  *record.mutable_new_version() = request.new_version();
  record.set_next_ordinal(next_ordinal_);
  record.set_metrics_json(request.metrics_json());
  record.set_unix_seconds(unix_seconds);
  closed_.clear();
  for (const int64_t ordinal : assigned) {
    v1::GroupRecord group = groups_.at(ordinal);
    group.set_state(v1::CONSUMED);
    Touch(group);
    closed_[ordinal] = group;
    groups_.erase(ordinal);
  }
  consumed_ += static_cast<int64_t>(assigned.size());
  retired_in_a_row_ = 0;
  steps_.push_back(record);
  new_steps_.push_back(record);
  current_version_ = request.new_version();
  started_ = true;
  return absl::OkStatus();
}

void RunState::Lose(const std::vector<int64_t>& ordinals) {
  for (const int64_t ordinal : ordinals) {
    const auto group = groups_.find(ordinal);
    if (group == groups_.end()) continue;
    if (group->second.state() == v1::COMPLETE || group->second.state() == v1::ASSIGNED)
      Fail(group->second, "trajectory_unusable");
  }
  // A step that lost a group is assigned anew once it has its full number again.
  for (auto& [ordinal, group] : groups_) {
    if (group.state() != v1::ASSIGNED) continue;
    group.set_state(v1::COMPLETE);
    Touch(group);
  }
}

}  // namespace lvrpo
