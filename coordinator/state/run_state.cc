// Groups. Leases are in run_state_leases.cc, steps in run_state_steps.cc.

#include "coordinator/state/run_state.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "coordinator/state/consequence.h"
#include "coordinator/state/versions.h"

namespace lvrpo {
namespace {

constexpr size_t kRecentOutcomes = 32, kClosed = 4096;

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

// The answer to a submit of a group that is there already.
absl::StatusOr<v1::SubmitGroupResponse> Repeated(const v1::SubmitGroupRequest& request,
                                                 const v1::GroupRecord& first) {
  // A group returned under this lease was never submitted; there is nothing to compare with.
  if (!first.trajectory_digest().empty() && !SameContents(request, first)) {
    return absl::AlreadyExistsError(absl::StrCat(
        Describe(request.lease()), " was submitted before with other contents: the first stays"));
  }
  v1::SubmitGroupResponse response;
  response.set_repeated_submit(true);
  response.set_accepted(first.state() != v1::RETIRED);
  response.set_retired_reason(first.retired_reason());
  return response;
}

}  // namespace

int RunState::Count(v1::GroupState state) const { return static_cast<int>(OrdinalsOf(state).size()); }

std::vector<int64_t> RunState::OrdinalsOf(v1::GroupState state) const {
  std::vector<int64_t> ordinals;
  for (const auto& [ordinal, group] : groups_) {
    if (group->state() == state) ordinals.push_back(ordinal);
  }
  return ordinals;
}

RunFacts RunState::Facts() const {
  RunFacts facts;
  facts.started = started_;
  facts.finished = finished();
  facts.saved = saved();
  facts.assigned = Count(v1::ASSIGNED);
  facts.complete = Count(v1::COMPLETE);
  facts.groups_per_step = rules_.groups_per_step;
  if (const std::vector<int64_t> leased = OrdinalsOf(v1::LEASED); !leased.empty()) {
    facts.held_ordinal = leased.front();
    facts.holder = groups_.at(leased.front())->member_id();
    facts.held_since = leases_.at(leased.front()).granted;
  }
  facts.unscorable_in_a_row = unscorable_in_a_row_;
  facts.unscorable_detail = unscorable_detail_;
  facts.retired_in_a_row = retired_in_a_row_;
  facts.newest_groups = static_cast<int64_t>(recent_outcomes_.size());
  facts.newest_flat = std::count(recent_outcomes_.begin(), recent_outcomes_.end(), v1::RETIRE_ZERO_VARIANCE);
  return facts;
}

void RunState::RestoreGroup(const v1::GroupRecord& group, absl::Time now) {
  auto record = std::make_shared<const v1::GroupRecord>(group);
  if (group.state() == v1::CONSUMED || group.state() == v1::RETIRED) {
    closed_[group.ordinal()] = std::move(record);
    return;
  }
  groups_[group.ordinal()] = std::move(record);
  if (group.state() == v1::LEASED) leases_[group.ordinal()] = {now, now + rules_.lease};
}

v1::GroupRecord& RunState::Edit(int64_t ordinal) {
  GroupPointer& held = groups_.at(ordinal);
  auto copy = std::make_shared<v1::GroupRecord>(*held);
  held = copy;
  changes_.groups[ordinal] = copy;
  return *copy;
}

int RunState::RankWithRoom(const std::set<int64_t>& but) const {
  std::vector<int> open(static_cast<size_t>(ranks_));
  for (const auto& [ordinal, group] : groups_) {
    if (group->rank() < ranks_ && !but.contains(ordinal)) ++open[static_cast<size_t>(group->rank())];
  }
  return static_cast<int>(std::min_element(open.begin(), open.end()) - open.begin());
}

v1::GroupRecord& RunState::Plan(int64_t ordinal, int32_t attempt, int rank) {
  if (attempt > plan_.highest_attempt) {
    PlanPosition plan = plan_;
    plan.highest_attempt = attempt;
    PlanNext(plan);
  }
  auto group = std::make_shared<v1::GroupRecord>();
  group->set_ordinal(ordinal);
  group->set_attempt(attempt);
  group->set_generation(plan_.generation);
  group->set_state(v1::PLANNED);
  group->set_rank(rank);
  groups_[ordinal] = group;
  changes_.groups[ordinal] = group;
  return *group;
}

void RunState::PlanNext(const PlanPosition& plan) {
  plan_ = plan;
  changes_.plan = plan;
}

void RunState::PlanAgain(int64_t ordinal) {
  const v1::GroupRecord& group = *groups_.at(ordinal);
  const int32_t failures = group.failures(), attempt = group.attempt() + 1, rank = group.rank();
  leases_.erase(ordinal);
  Plan(ordinal, attempt, rank).set_failures(failures);
}

void RunState::Fail(int64_t ordinal, v1::RetireReason reason, const std::string& detail) {
  v1::GroupRecord& group = Edit(ordinal);
  group.set_failures(group.failures() + 1);
  if (group.failures() >= rules_.max_failures) return Retire(ordinal, reason, detail);
  NoteOutcome(reason);
  PlanAgain(ordinal);
}

void RunState::Retire(int64_t ordinal, v1::RetireReason reason, const std::string& detail) {
  v1::GroupRecord& group = Edit(ordinal);
  group.set_state(v1::RETIRED);
  group.set_retired_reason(reason);
  group.set_retired_detail(detail);
  ++retired_by_reason_[reason];
  ++retired_in_a_row_;
  NoteOutcome(reason);
  leases_.erase(ordinal);
  closed_[ordinal] = groups_.at(ordinal);
  if (closed_.size() > kClosed) closed_.erase(closed_.begin());
  groups_.erase(ordinal);
}

void RunState::NoteOutcome(v1::RetireReason outcome) {
  recent_outcomes_.push_back(outcome);
  if (recent_outcomes_.size() > kRecentOutcomes) recent_outcomes_.pop_front();
}

absl::Status RunState::Return(const v1::ReturnLeaseRequest& request) {
  const v1::ReturnReason reason = request.reason();
  if (reason == v1::RETURN_UNSPECIFIED || !v1::ReturnReason_IsValid(reason))
    return absl::InvalidArgumentError("a returned lease needs a reason");
  const int64_t ordinal = request.lease().ordinal();
  const std::string& member = request.fence().member_id();
  if (LeaseOf(member, request.lease()) == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat("the lease on ", Describe(request.lease()), " is no longer ", member, "'s"));
  }
  if (reason == v1::RETURN_UNSCORABLE) {
    ++unscorable_in_a_row_;
    unscorable_detail_ = request.detail();
    NoteOutcome(v1::RETIRE_UNSPECIFIED);
  }
  const Outcome outcome = OfReturn(reason);
  switch (outcome.consequence) {
    case Consequence::kPlanAgain:
      PlanAgain(ordinal);
      break;
    case Consequence::kFail:
      Fail(ordinal, outcome.reason, request.detail());
      break;
    case Consequence::kRetire:
      Retire(ordinal, outcome.reason, request.detail());
  }
  return absl::OkStatus();
}

absl::Status RunState::CheckContents(const v1::SubmitGroupRequest& request) const {
  const int64_t ordinal = request.lease().ordinal();
  const v1::PolicyVersion& leased = groups_.at(ordinal)->version();
  if (!SameVersion(request.version(), leased)) {
    return absl::FailedPreconditionError(absl::StrCat("ordinal ", ordinal, " was leased for version ",
                                                      Describe(leased), " and sampled with ",
                                                      Describe(request.version())));
  }
  if (request.samples_size() != rules_.group_size) {
    return absl::InvalidArgumentError(absl::StrCat("ordinal ", ordinal, " has ", request.samples_size(),
                                                   " samples; groups have ", rules_.group_size));
  }
  if (request.trajectory_digest().empty())
    return absl::InvalidArgumentError(
        absl::StrCat("ordinal ", ordinal, " has no digest of its trajectories"));
  for (int slot = 0; slot < request.samples_size(); ++slot) {
    if (request.samples(slot).slot() != slot) {
      return absl::InvalidArgumentError(
          absl::StrCat("ordinal ", ordinal, ": sample ", slot, " is in slot ", request.samples(slot).slot()));
    }
  }
  return absl::OkStatus();
}

v1::RetireReason RunState::FaultOf(const v1::SubmitGroupRequest& request) const {
  if (!request.log_probs_finite()) return v1::RETIRE_LOG_PROBS_NOT_FINITE;
  if (const v1::RetireReason fault = SamplesFault(request.samples()); fault != v1::RETIRE_UNSPECIFIED)
    return fault;
  if (rules_.filter_zero_variance && HasZeroVariance(request.samples())) return v1::RETIRE_ZERO_VARIANCE;
  if (committed_steps() - request.version().number() > rules_.max_staleness) return v1::RETIRE_STALE;
  return v1::RETIRE_UNSPECIFIED;
}

absl::StatusOr<v1::SubmitGroupResponse> RunState::Submit(const v1::SubmitGroupRequest& request) {
  if (!request.has_lease()) return absl::InvalidArgumentError("a submit names its lease");
  const int64_t ordinal = request.lease().ordinal();
  const std::string& member = request.fence().member_id();
  const auto is_of_lease = [&](const v1::GroupRecord& group) {
    return group.attempt() == request.lease().attempt() && group.member_id() == member;
  };
  if (const auto closed = closed_.find(ordinal); closed != closed_.end() && is_of_lease(*closed->second))
    return Repeated(request, *closed->second);
  const auto found = groups_.find(ordinal);
  if (found == groups_.end() || !is_of_lease(*found->second)) {
    return absl::FailedPreconditionError(
        absl::StrCat("the lease on ", Describe(request.lease()), " has ended"));
  }
  if (found->second->state() != v1::LEASED) return Repeated(request, *found->second);  // COMPLETE or ASSIGNED
  if (absl::Status status = CheckContents(request); !status.ok()) return status;

  v1::GroupRecord& group = Edit(ordinal);
  group.set_kind(request.kind());
  *group.mutable_samples() = request.samples();
  group.set_trajectory_digest(request.trajectory_digest());
  late_.erase(member);  // it delivers
  v1::SubmitGroupResponse response;
  const v1::RetireReason fault = FaultOf(request);
  if (fault == v1::RETIRE_UNSPECIFIED || fault == v1::RETIRE_ZERO_VARIANCE) unscorable_in_a_row_ = 0;
  if (fault == v1::RETIRE_UNSPECIFIED) {
    group.set_state(v1::COMPLETE);
    leases_.erase(ordinal);
    NoteOutcome(fault);
    response.set_accepted(true);
    return response;
  }
  response.set_retired_reason(fault);
  switch (OfFault(fault)) {
    case Consequence::kPlanAgain:
      PlanAgain(ordinal);
      break;
    case Consequence::kFail:
      Fail(ordinal, fault, "");
      break;
    case Consequence::kRetire:
      Retire(ordinal, fault, "");
  }
  return response;
}

}  // namespace lvrpo
