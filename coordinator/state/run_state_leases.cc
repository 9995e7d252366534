// Leases of RunState.

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "coordinator/state/run_state.h"
#include "coordinator/state/versions.h"

namespace lvrpo {

RunState::LeaseDecision RunState::Lease(const std::string& member, int64_t incarnation,
                                        const v1::PolicyVersion& version, const std::string& lease_id,
                                        absl::Time now) {
  if (finished()) return {nullptr, "nothing: the run has finished"};
  if (!started_) return {nullptr, "a learner that serves weights"};
  if (!SameVersion(version, current_version_)) {
    return {nullptr, absl::StrCat("weights of version ", Describe(current_version_), " at ", member,
                                  ", which holds ", Describe(version))};
  }
  if (const auto late = late_.find(member); late != late_.end() && now < late->second.until) {
    return {nullptr, absl::StrCat(member, " held a group for ", absl::FormatDuration(rules_.lease_limit),
                                  " without delivering it: others go first")};
  }
  int64_t ordinal = -1;
  for (const auto& [candidate, group] : groups_) {
    if (group->state() == v1::PLANNED) {
      ordinal = candidate;
      break;
    }
  }
  if (ordinal < 0) {
    // Never plan a group that no step will consume.
    const int64_t steps_left = rules_.total_steps - committed_steps();
    const int64_t capacity = std::min<int64_t>(rules_.max_staleness + 1, steps_left) * rules_.groups_per_step;
    if (Active() >= capacity) return {nullptr, absl::StrCat("step ", committed_steps(), " of the learner")};
    ordinal = next_ordinal_++;
    Plan(ordinal, FirstAttempt(generation_));
  }
  v1::GroupRecord& group = Edit(ordinal);
  group.set_state(v1::LEASED);
  group.set_lease_id(lease_id);
  group.set_member_id(member);
  group.set_incarnation(incarnation);
  *group.mutable_version() = version;
  leases_[ordinal] = {now + rules_.lease, now + rules_.lease_limit};
  return {&group, ""};
}

std::vector<int64_t> RunState::RenewLeases(const std::string& member, const std::vector<int64_t>& ordinals,
                                           absl::Time now) {
  std::vector<int64_t> lost;
  for (const int64_t ordinal : ordinals) {
    const auto group = groups_.find(ordinal);
    if (group == groups_.end() || group->second->state() != v1::LEASED ||
        group->second->member_id() != member) {
      lost.push_back(ordinal);
    } else {
      LeaseTimes& times = leases_.at(ordinal);
      times.ends = std::min(now + rules_.lease, times.limit);
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
    if (times.limit > now) continue;
    const std::string& member = groups_.at(ordinal)->member_id();
    late.insert(member);
    ended.at_limit.push_back(absl::StrCat("ordinal ", ordinal, " at ", member));
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

void RunState::DropLeasesOf(const std::string& member, const std::set<int64_t>& kept) {
  std::vector<int64_t> dropped;
  for (const auto& [ordinal, group] : groups_) {
    if (group->state() == v1::LEASED && group->member_id() == member && !kept.contains(ordinal))
      dropped.push_back(ordinal);
  }
  for (const int64_t ordinal : dropped) PlanAgain(ordinal);
}

}  // namespace lvrpo
