// Leases of RunState.

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "coordinator/state/run_state.h"
#include "coordinator/state/versions.h"

namespace lvrpo {

const v1::GroupRecord* RunState::LeaseOf(const std::string& member, const v1::LeaseId& lease) const {
  const auto group = groups_.find(lease.ordinal());
  const bool has = group != groups_.end() && group->second->state() == v1::LEASED &&
                   group->second->attempt() == lease.attempt() && group->second->member_id() == member;
  return has ? group->second.get() : nullptr;
}

AdmissionFacts RunState::FactsFor(const std::string& member, absl::Time now) const {
  AdmissionFacts facts;
  facts.now = now;
  facts.finished = finished();
  facts.started = started_;
  facts.step = committed_steps();
  facts.current = current_version_;
  if (const auto late = late_.find(member); late != late_.end()) facts.late_until = late->second.until;
  facts.lease_limit = rules_.lease_limit;
  facts.ordinal_is_planned = Count(v1::PLANNED) > 0;
  facts.open_groups = static_cast<int64_t>(groups_.size());
  facts.most_open_groups =
      MostOpenGroups(rules_.max_staleness, rules_.groups_per_step, rules_.total_steps - committed_steps());
  return facts;
}

RunState::LeaseDecision RunState::Lease(const LeaseApplication& application, absl::Time now) {
  if (Blocker blocker = Admit(application, FactsFor(application.member, now));
      blocker.kind != Blocker::Kind::kNothing) {
    return {nullptr, std::move(blocker)};
  }
  if (Count(v1::PLANNED) == 0) {
    PlanPosition plan = plan_;
    const int64_t fresh = plan.next_ordinal++;
    PlanNext(plan);
    Plan(fresh, plan.first_attempt, RankWithRoom());
  }
  const int64_t ordinal = OrdinalsOf(v1::PLANNED).front();
  v1::GroupRecord& group = Edit(ordinal);
  group.set_state(v1::LEASED);
  group.set_member_id(application.member);
  group.set_incarnation(application.incarnation);
  *group.mutable_version() = application.version;
  leases_[ordinal] = {now, now + rules_.lease};
  return {groups_.at(ordinal), {}};
}

std::vector<v1::LeaseId> RunState::RenewLeases(const std::string& member,
                                               const std::vector<v1::LeaseId>& leases, absl::Time now) {
  std::vector<v1::LeaseId> lost;
  for (const v1::LeaseId& lease : leases) {
    if (LeaseOf(member, lease) == nullptr) {
      lost.push_back(lease);
    } else {
      LeaseTimes& times = leases_.at(lease.ordinal());
      times.ends = std::min(now + rules_.lease, LimitOf(times));
    }
  }
  return lost;
}

bool RunState::AnyLeaseEnded(absl::Time now) const {
  return std::any_of(leases_.begin(), leases_.end(),
                     [now](const auto& lease) { return lease.second.ends <= now; });
}

RunState::EndedLeases RunState::ExpireLeases(absl::Time now) {
  EndedLeases ended;
  std::vector<int64_t> ordinals;
  std::set<std::string> late;
  for (const auto& [ordinal, times] : leases_) {
    if (times.ends > now) continue;
    ordinals.push_back(ordinal);
    if (LimitOf(times) > now) continue;
    const v1::GroupRecord& group = *groups_.at(ordinal);
    late.insert(group.member_id());
    ended.at_limit.push_back({MakeLeaseId(ordinal, group.attempt()), group.member_id()});
  }
  for (const std::string& member : late) {
    // The pause doubles each time until the member delivers.
    Lateness& lateness = late_[member];
    const int doublings = std::min(lateness.times++, 20);
    lateness.until = now + std::min(rules_.lease * (int64_t{1} << doublings), rules_.lease_limit);
  }
  for (const int64_t ordinal : ordinals) PlanAgain(ordinal);
  ended.count = static_cast<int>(ordinals.size());
  return ended;
}

void RunState::DropLeasesOf(const std::string& member, const std::vector<v1::LeaseId>& kept) {
  std::vector<int64_t> dropped;
  for (const int64_t ordinal : OrdinalsOf(v1::LEASED)) {
    const v1::GroupRecord& group = *groups_.at(ordinal);
    const bool keeps = std::any_of(kept.begin(), kept.end(), [&](const v1::LeaseId& lease) {
      return lease.ordinal() == ordinal && lease.attempt() == group.attempt();
    });
    if (group.member_id() == member && !keeps) dropped.push_back(ordinal);
  }
  for (const int64_t ordinal : dropped) PlanAgain(ordinal);
}

}  // namespace lvrpo
