#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tests/coordinator/service_fixture.h"

namespace lvrpo {

// Plays a script against a coordinator: commands of members and operators, and what comes of each.
// scripts/README.md lists the commands.
class ScriptPlayer : public ServiceTest {
 protected:
  // The answer, and the groups as they are on disk then: "w0 gets ordinal 0\nstep 0: 0 leased by w0".
  std::string Play(const std::string& line);
  CoordinatorService::Options ServiceOptions() const override;

 private:
  struct Command {
    std::vector<std::string> words;              // without the first
    std::map<std::string, std::string> options;  // NAME=VALUE
    std::string Option(const std::string& name, const std::string& missing) const;
    int64_t Number(const std::string& name, int64_t missing) const;
  };
  struct Member {
    v1::Role role = v1::ROLE_UNSPECIFIED;
    v1::Fence fence;
    std::map<int64_t, v1::Lease> leases;  // by ordinal: the newest of each
    std::map<int64_t, bool> works_on;     // by ordinal: heartbeats list it
    bool alive = true;
    v1::LearnerPlace place;   // of a learner: with the epoch that this process has joined
    int processes = 0;        // of a learner of several ranks
    std::string waiting_for;  // what its heartbeats say
    v1::Obstacle obstacle = v1::OBSTACLE_UNSPECIFIED;
  };
  using Handler = std::string (ScriptPlayer::*)(const Command&);

  std::string Run(const Command& command);
  std::string Join(const Command& command);
  std::string StartLearner(const Command& command);
  std::string LeaseGroup(const Command& command);
  std::string SubmitGroup(const Command& command);
  std::string ReturnGroup(const Command& command);
  std::string Forget(const Command& command);
  std::string Kill(const Command& command);
  std::string LeaveRun(const Command& command);
  std::string Say(const Command& command);
  std::string PassTime(const Command& command);
  std::string Assign(const Command& command);
  std::string CommitGroups(const Command& command);
  std::string SaveCheckpoint(const Command& command);
  std::string LoseGroup(const Command& command);
  std::string Restart(const Command& command);
  std::string FillDisk(const Command& command);
  std::string FreeDisk(const Command& command);
  std::string DrainRun(const Command& command);
  std::string Why(const Command& command);
  std::string NewEvents(const Command& command);

  Member& Named(const Command& command);
  // The learner that is named, or the one that is called so.
  Member& Learner(const Command& command);
  // A learner joins the first complete epoch that it sees.
  static void See(Member& member, const v1::PoolView& view);
  std::vector<v1::LeaseId> HeldBy(const Member& member) const;
  void BeatAll();
  std::string State() const;

  RunRules rules_ = ServiceTest::ServiceOptions().rules;
  std::map<std::string, Member> members_;
  std::vector<int64_t> assigned_;
  size_t events_seen_ = 0;
};

}  // namespace lvrpo
