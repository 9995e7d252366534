#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "coordinator/service.h"
#include "tests/testing/cluster_messages.h"
#include "tests/testing/fake_clock.h"
#include "tests/testing/turns.h"
#include "weight_plane/kept_versions.h"

namespace lvrpo {

class ClusterLearner;  // one of its ranks
class ClusterRanks;
class ClusterRewards;

// What the roles of an in-process cluster share.
struct ClusterWorld {
  uint64_t seed;
  std::string run_dir;
  FakeClock& clock;
  Turns& turns;
  ClusterMessages& messages;
  std::unique_ptr<CoordinatorService> coordinator;       // null while it is down
  std::map<std::string, ClusterLearner*> learners = {};  // the running ones, by address: messages to them
  std::map<std::string, ClusterRanks*> ranks = {};       // go on here
  ClusterRewards* rewards = nullptr;
  std::map<std::string, const KeptVersions*> weights = {};  // that the running ones serve, by address
};

// One process of a role.
struct ClusterProcess {
  std::string role;  // "learner-0"
  int number;        // of its processes, from 1
  std::string address() const { return AddressOf(role, number); }
};

constexpr char kCoordinator[] = "coordinator";

}  // namespace lvrpo
