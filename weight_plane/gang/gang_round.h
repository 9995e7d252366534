#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "collectives/nccl_communicator.h"
#include "proto/lvrpo/v1/weight_gang.pb.h"

// Who takes part in a broadcast of weights, and how they get a communicator: pure decisions of the learner.
namespace lvrpo {

// One process of a worker, as its registration names it.
struct GangWorker {
  std::string member_id;
  int64_t incarnation = 0;
  bool operator==(const GangWorker&) const = default;
};

// A worker that asks for a broadcast, as long as it asks.
struct GangAsk {
  GangWorker worker;
  v1::GangMember member;
  absl::Time first, last;  // when it asked
};

struct Gathering {
  absl::Time now;
  absl::Duration patience;         // with those that are expected, from the first that asked
  absl::Duration silence;          // who has not asked for longer is gone
  std::set<std::string> expected;  // member ids; none: it is not known whom to expect
  std::vector<GangAsk> asks;       // one a member id
};

struct Gathered {
  bool begin = false;
  std::vector<GangAsk> there;
  std::vector<std::string> late;  // those that are expected and not there, in order
};

// Begins when all that are expected are there, or when patience is over. While it is not known whom to
// expect, the whole patience is waited.
Gathered Gather(const Gathering& gathering);

// The learner's communicator.
struct RootGang {
  int64_t gang = 0;  // its name; 0: there is none
  bool broken = false;
  std::vector<GangWorker> workers;  // of rank 1, 2, ...
};

struct GangForm {
  // KEEP, SHRINK, GROW or NEW: of those that the root has a communicator with; after GROW and NEW others
  // follow them.
  v1::GangPlan::Way way = v1::GangPlan::NEW;
  std::vector<GangAsk> ranks;  // of rank 1, 2, ...
  std::vector<int> gone;       // ranks of the old communicator, ascending; with SHRINK
};

// How the root and those that are `there` get their communicator. `root_can`: what the root's library can;
// used is only what all can.
GangForm ChooseForm(const RootGang& root, const NcclMeans& root_can, const std::vector<GangAsk>& there);

}  // namespace lvrpo
