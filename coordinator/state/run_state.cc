// Groups. Leases are in run_state_leases.cc, steps in run_state_steps.cc.

#include "coordinator/state/run_state.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "coordinator/state/versions.h"

namespace lvrpo {
namespace {

constexpr char kNoReward[] = "no_reward";
constexpr char kBadPrompt[] = "bad_prompt";
constexpr char kUnscorable[] = "unscorable";
constexpr size_t kReasonLength = 48, kReasons = 64, kRecentOutcomes = 32, kClosed = 4096;

// Reasons for which another attempt of the same prompt cannot help.
bool IsDataFault(const std::string& reason) { return reason == kNoReward || reason == kBadPrompt; }

// Reasons that are not the prompt's fault: it is sampled again however often they occur.
bool IsOutage(const std::string& reason) {
  return reason == "drain" || reason == "reward_unreachable" || reason == "learner_unreachable" ||
         reason == "worker_failed" || reason == kUnscorable;
}

// Whether a submit says the same as the group's record does.
bool SameContents(const v1::SubmitGroupRequest& request, const v1::GroupRecord& group) {
  if (request.trajectory_digest() != group.trajectory_digest() ||
      request.samples_size() != group.samples_size()) {
    return false;
  }
  for (int i = 0; i < request.samples_size(); ++i) {
    if (request.samples(i).SerializeAsString() != group.samples(i).SerializeAsString()) return false;
  }
  return true;
}

}  // namespace

std::string SamplesFault(const google::protobuf::RepeatedPtrField<v1::SampleSummary>& samples) {
  for (const v1::SampleSummary& sample : samples) {
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

bool HasZeroVariance(const google::protobuf::RepeatedPtrField<v1::SampleSummary>& samples) {
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

std::string ReasonClass(const std::string& reason) {
  return reason.substr(0, std::min(reason.find(':'), kReasonLength));
}

void RunState::ClearDirty() {
  dirty_.clear();
  step_is_new_ = facts_changed_ = false;
  abandoned_from_ = forgotten_from_ = -1;
}

int RunState::Count(v1::GroupState state) const {
  return static_cast<int>(std::count_if(
      groups_.begin(), groups_.end(), [state](const auto& entry) { return entry.second->state() == state; }));
}

void RunState::RestoreGroup(const v1::GroupRecord& group, absl::Time now) {
  auto record = std::make_shared<const v1::GroupRecord>(group);
  if (group.state() == v1::CONSUMED || group.state() == v1::RETIRED) {
    closed_[group.ordinal()] = std::move(record);
    return;
  }
  groups_[group.ordinal()] = std::move(record);
  if (group.state() == v1::LEASED) leases_[group.ordinal()] = {now + rules_.lease, now + rules_.lease_limit};
}

v1::GroupRecord& RunState::Edit(int64_t ordinal) {
  std::shared_ptr<const v1::GroupRecord>& held = groups_.at(ordinal);
  auto copy = std::make_shared<v1::GroupRecord>(*held);
  held = copy;
  dirty_[ordinal] = copy;
  return *copy;
}

v1::GroupRecord& RunState::Plan(int64_t ordinal, int32_t attempt) {
  auto group = std::make_shared<v1::GroupRecord>();
  group->set_ordinal(ordinal);
  group->set_attempt(attempt);
  group->set_state(v1::PLANNED);
  groups_[ordinal] = group;
  dirty_[ordinal] = group;
  return *group;
}

void RunState::PlanAgain(int64_t ordinal) {
  const v1::GroupRecord& group = *groups_.at(ordinal);
  const int32_t failures = group.failures(), attempt = group.attempt() + 1;
  leases_.erase(ordinal);
  Plan(ordinal, attempt).set_failures(failures);
}

void RunState::Fail(int64_t ordinal, const std::string& reason) {
  v1::GroupRecord& group = Edit(ordinal);
  group.set_failures(group.failures() + 1);
  if (group.failures() >= rules_.max_failures) {
    Retire(ordinal, reason);
  } else {
    NoteOutcome(reason);
    PlanAgain(ordinal);
  }
}

void RunState::Retire(int64_t ordinal, const std::string& reason) {
  v1::GroupRecord& group = Edit(ordinal);
  group.set_state(v1::RETIRED);
  // Reasons come from outside: the number of counters is bounded.
  const bool too_many =
      retired_by_reason_.size() >= kReasons && !retired_by_reason_.contains(ReasonClass(reason));
  group.set_retired_reason(too_many ? absl::StrCat("other: ", reason) : reason);
  ++retired_by_reason_[ReasonClass(group.retired_reason())];
  ++retired_in_a_row_;
  NoteOutcome(group.retired_reason());
  leases_.erase(ordinal);
  closed_[ordinal] = groups_.at(ordinal);
  if (closed_.size() > kClosed) closed_.erase(closed_.begin());
  groups_.erase(ordinal);
}

void RunState::NoteOutcome(const std::string& outcome) {
  recent_outcomes_.push_back(ReasonClass(outcome));
  if (recent_outcomes_.size() > kRecentOutcomes) recent_outcomes_.pop_front();
}

absl::Status RunState::Return(const v1::ReturnLeaseRequest& request) {
  if (ReasonClass(request.reason()).empty())
    return absl::InvalidArgumentError("who returns a lease says why: the reason is empty");
  const auto group = groups_.find(request.ordinal());
  if (group == groups_.end() || group->second->state() != v1::LEASED ||
      group->second->lease_id() != request.lease_id()) {
    return absl::FailedPreconditionError(absl::StrCat("the lease on ordinal ", request.ordinal(),
                                                      " is no longer ", request.fence().member_id(), "'s"));
  }
  const std::string kind = ReasonClass(request.reason());
  if (absl::StartsWith(kind, kUnscorable) && !request.data_is_at_fault()) {
    ++unscorable_in_a_row_;
    unscorable_reason_ = request.reason();
    NoteOutcome(kind);
    PlanAgain(request.ordinal());
  } else if (request.data_is_at_fault()) {
    Retire(request.ordinal(), request.reason());
  } else if (IsOutage(kind)) {
    PlanAgain(request.ordinal());
  } else {
    Fail(request.ordinal(), request.reason());
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::SubmitGroupResponse> RunState::Submit(const v1::SubmitGroupRequest& request) {
  v1::SubmitGroupResponse response;
  if (request.lease_id().empty()) return absl::InvalidArgumentError("a submit names its lease");
  const auto repeated = [&](const v1::GroupRecord& first) -> absl::StatusOr<v1::SubmitGroupResponse> {
    // A group returned under this lease was never submitted; there is nothing to compare with.
    if (!first.trajectory_digest().empty() && !SameContents(request, first)) {
      return absl::AlreadyExistsError(
          absl::StrCat("ordinal ", request.ordinal(), " attempt ", request.attempt(),
                       " was submitted before with other contents: the first stays"));
    }
    response.set_repeated_submit(true);
    response.set_accepted(first.state() != v1::RETIRED);
    response.set_retired_reason(first.retired_reason());
    return response;
  };
  const auto closed = closed_.find(request.ordinal());
  if (closed != closed_.end() && closed->second->lease_id() == request.lease_id())
    return repeated(*closed->second);
  const auto found = groups_.find(request.ordinal());
  if (found == groups_.end() || found->second->lease_id() != request.lease_id() ||
      found->second->attempt() != request.attempt()) {
    return absl::FailedPreconditionError(absl::StrCat("the lease on ordinal ", request.ordinal(), " attempt ",
                                                      request.attempt(), " has ended"));
  }
  if (found->second->state() != v1::LEASED) return repeated(*found->second);  // COMPLETE or ASSIGNED
  if (!SameVersion(request.version(), found->second->version())) {
    return absl::FailedPreconditionError(
        absl::StrCat("ordinal ", request.ordinal(), " was leased for version ",
                     Describe(found->second->version()), " and sampled with ", Describe(request.version())));
  }
  if (request.samples_size() != rules_.group_size) {
    return absl::InvalidArgumentError(absl::StrCat("ordinal ", request.ordinal(), " has ",
                                                   request.samples_size(), " samples; groups have ",
                                                   rules_.group_size));
  }
  if (request.trajectory_digest().empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("ordinal ", request.ordinal(), " has no digest of its trajectories"));
  }
  for (int slot = 0; slot < request.samples_size(); ++slot) {
    if (request.samples(slot).slot() != slot) {
      return absl::InvalidArgumentError(absl::StrCat("ordinal ", request.ordinal(), ": sample ", slot,
                                                     " is in slot ", request.samples(slot).slot()));
    }
  }
  const std::string member = found->second->member_id();
  v1::GroupRecord& group = Edit(request.ordinal());
  group.set_kind(request.kind());
  *group.mutable_samples() = request.samples();
  group.set_trajectory_digest(request.trajectory_digest());
  late_.erase(member);  // it delivers
  std::string fault = request.log_probs_finite() ? SamplesFault(request.samples()) : "log_probs_not_finite";
  if (!fault.empty()) {
    response.set_retired_reason(fault);
    if (IsDataFault(fault)) {
      Retire(request.ordinal(), fault);
    } else {
      Fail(request.ordinal(), fault);
    }
    return response;
  }
  if (rules_.filter_zero_variance && HasZeroVariance(group.samples())) {
    response.set_retired_reason("zero_variance");
    unscorable_in_a_row_ = 0;
    Retire(request.ordinal(), "zero_variance");
    return response;
  }
  if (committed_steps() - group.version().number() > rules_.max_staleness) {
    response.set_retired_reason("stale");
    PlanAgain(request.ordinal());
    return response;
  }
  group.set_state(v1::COMPLETE);
  leases_.erase(request.ordinal());
  unscorable_in_a_row_ = 0;
  NoteOutcome("accepted");
  response.set_accepted(true);
  return response;
}

}  // namespace lvrpo
