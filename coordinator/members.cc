#include "coordinator/members.h"

#include <algorithm>

#include "coordinator/state/compatibility.h"
#include "coordinator/state/versions.h"

namespace lvrpo {
namespace {

v1::Member Describe(const std::string& id, const Members::Member& member, absl::Time now) {
  v1::Member described;
  described.set_member_id(id);
  described.set_role(member.role);
  described.set_address(member.address);
  described.set_load(member.load);
  described.set_state(member.state);
  *described.mutable_version() = member.version;
  described.set_weight_streams(member.weight_streams.value_or(0));
  described.set_seconds_since_heartbeat(absl::ToDoubleSeconds(now - member.last_heard));
  described.set_rank(member.place.rank());
  *described.mutable_build() = member.build;
  return described;
}

}  // namespace

Members::Member* Members::Find(const std::string& id) {
  const auto member = members_.find(id);
  return member == members_.end() ? nullptr : &member->second;
}

std::vector<std::pair<std::string, v1::Role>> Members::RemoveSilent(absl::Time now, absl::Duration timeout) {
  std::vector<std::pair<std::string, v1::Role>> removed;
  for (auto member = members_.begin(); member != members_.end();) {
    if (now - member->second.last_heard > timeout) {
      removed.emplace_back(member->first, member->second.role);
      member = members_.erase(member);
    } else {
      ++member;
    }
  }
  return removed;
}

void Members::FillView(absl::Time now, v1::PoolView* view) const {
  *view->mutable_learner_epoch() = LearnerEpoch();
  for (const auto& [id, member] : members_) {
    if (member.address.empty()) continue;
    if (member.role == v1::ROLE_REWARD_SERVER) *view->add_reward_servers() = Describe(id, member, now);
    if (member.role == v1::ROLE_LEARNER) *view->add_learners() = Describe(id, member, now);
    if (member.weight_streams.has_value() && SameVersion(member.version, view->current_version()))
      *view->add_weight_holders() = Describe(id, member, now);
  }
}

std::vector<v1::Member> Members::List(absl::Time now) const {
  std::vector<v1::Member> list;
  for (const auto& [id, member] : members_) list.push_back(Describe(id, member, now));
  return list;
}

std::vector<LearnerProcessFacts> Members::LearnerProcesses() const {
  std::vector<LearnerProcessFacts> processes;
  absl::Time newest = absl::InfinitePast();
  for (const auto& [id, member] : members_) {
    if (member.role == v1::ROLE_LEARNER) newest = std::max(newest, member.joined);
  }
  for (const auto& [id, member] : members_) {
    if (member.role != v1::ROLE_LEARNER) continue;
    processes.push_back({.member = id,
                         .address = member.address,
                         .process = member.process,
                         .place = member.place,
                         .heard = member.last_heard >= newest});
  }
  return processes;
}

void Members::Tell(const std::string& id, const std::string& waiting_for) {
  constexpr size_t kRemembered = 16;
  Member* member = Find(id);
  if (member == nullptr) return;
  if (member->told.size() >= kRemembered) member->told.clear();
  member->told.insert(waiting_for);
}

PoolFacts Members::Facts(v1::Role role) const {
  static const auto* ordinary = new std::set<std::string>{"", "starting", "delivery of the last group"};
  PoolFacts facts;
  facts.members = Count(role);
  for (const auto& [id, member] : members_) {
    if (member.role != role || ordinary->contains(member.waiting_for)) continue;
    if (member.told.contains(member.waiting_for)) continue;
    if (member.obstacle == v1::OBSTACLE_RANKS) continue;  // SlowRank() has these
    facts.complainer = id;
    facts.complaint = member.waiting_for;
    facts.complains_since = member.waiting_since;
    facts.obstacle = member.obstacle;
    break;
  }
  return facts;
}

SlowRankFacts Members::SlowRank() const {
  SlowRankFacts facts;
  for (const auto& [id, member] : members_) {
    if (member.role != v1::ROLE_LEARNER) continue;
    if (member.obstacle == v1::OBSTACLE_RANKS) {
      ++facts.waiting;
      facts.since = std::min(facts.since, member.waiting_since);
    } else if (facts.member.empty()) {
      facts.member = id;
    }
  }
  return facts;
}

int Members::OtherVersions(const v1::Build& own) const {
  return static_cast<int>(std::count_if(members_.begin(), members_.end(), [&own](const auto& entry) {
    return IsOtherVersion(entry.second.build, own);
  }));
}

const Members::Member* Members::Reachable(v1::Role role) const {
  for (const auto& [id, member] : members_) {
    if (member.role == role && !member.address.empty()) return &member;
  }
  return nullptr;
}

double Members::Load(v1::Role role) const {
  constexpr double kMost = 1e4;
  double load = 0;
  for (const auto& [id, member] : members_) {
    if (member.role == role && member.load > 0) load += std::min(member.load, kMost);
  }
  return load;
}

int Members::Count(v1::Role role) const {
  int count = 0;
  for (const auto& [id, member] : members_) count += member.role == role;
  return count;
}

}  // namespace lvrpo
