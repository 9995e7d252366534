#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "coordinator/learner_epoch.h"
#include "coordinator/state/waiting.h"
#include "proto/lvrpo/v1/coordinator.pb.h"

namespace lvrpo {

// The members of the run, as of their last messages. Pure; not thread-safe.
class Members {
 public:
  struct Member {
    v1::Role role = v1::ROLE_UNSPECIFIED;
    std::string address;
    int64_t incarnation = 0;
    std::string process;
    double load = 0;
    std::string state = "starting";
    std::string waiting_for;
    absl::Time waiting_since;                          // it says that
    v1::Obstacle obstacle = v1::OBSTACLE_UNSPECIFIED;  // what kind of thing that is
    v1::Build build;
    v1::PolicyVersion version;
    std::optional<int> weight_streams;  // open ones, of a member that streams `version` to others
    std::map<std::string, std::string> contract;
    absl::Time last_heard;
    absl::Time joined;
    v1::PolicyVersion acknowledged;  // newest acknowledged version on record
    v1::LearnerPlace place;          // learner
    std::set<std::string> told;      // what it was last told to wait for; ignored in its own reports
  };

  // A new process, or the same one again: the newest incarnation is the member.
  void Join(const std::string& id, Member member) { members_[id] = std::move(member); }
  void Leave(const std::string& id) { members_.erase(id); }
  Member* Find(const std::string& id);

  // Removes members that were silent for `timeout` and returns their ids and roles.
  std::vector<std::pair<std::string, v1::Role>> RemoveSilent(absl::Time now, absl::Duration timeout);

  // The pools as members see them.
  void FillView(absl::Time now, v1::PoolView* view) const;
  std::vector<v1::Member> List(absl::Time now) const;
  int Count(v1::Role role) const;
  // What the members of this role say they have to do; of each one, what can be true.
  double Load(v1::Role role) const;
  // A member of this role that others can reach; null when there is none.
  const Member* Reachable(v1::Role role) const;
  // The learner's processes, and the epoch that they are (learner_epoch.h).
  std::vector<LearnerProcessFacts> LearnerProcesses() const;
  v1::LearnerEpoch LearnerEpoch() const { return LearnerEpochOf(LearnerProcesses()); }
  // Notes what a member is told to wait for.
  void Tell(const std::string& id, const std::string& waiting_for);
  // How many members have this role, and what one of them says it waits for.
  PoolFacts Facts(v1::Role role) const;
  // The ranks that all others wait for in an operation of all of them, as they say.
  SlowRankFacts SlowRank() const;
  // How many run another version than `own`.
  int OtherVersions(const v1::Build& own) const;
  const std::map<std::string, Member>& all() const { return members_; }

 private:
  std::map<std::string, Member> members_;
};

}  // namespace lvrpo
