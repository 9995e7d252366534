#pragma once

#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "coordinator/state/blocker.h"
#include "proto/lvrpo/v1/common.pb.h"

// Whether a worker gets a lease: one rule over one snapshot. Pure.
namespace lvrpo {

// The worker that asks, and who is there to take part.
struct LeaseApplication {
  std::string member = {};
  int64_t incarnation = 0;
  v1::PolicyVersion version = {};  // weights it will sample with
  bool draining = false;
  bool learner_is_here = true, reward_server_is_here = true;
  RanksThere ranks = {};  // while a learner is there
};

// The state of the run that it meets.
struct AdmissionFacts {
  absl::Time now = {};
  bool finished = false, started = false;
  int64_t step = 0;                              // committed
  v1::PolicyVersion current = {};                // weights of the run
  absl::Time late_until = absl::InfinitePast();  // the worker let a lease run into its limit: nothing before
  absl::Duration lease_limit = {};
  bool ordinal_is_planned = false;                // one waits for a worker
  int64_t open_groups = 0, most_open_groups = 0;  // planned to assigned
};

// Groups that may be open: more of them could become too old, or would never be consumed.
int64_t MostOpenGroups(int64_t max_staleness, int64_t groups_per_step, int64_t steps_left);

// kNothing: granted. Otherwise what the worker has to wait for.
Blocker Admit(const LeaseApplication& application, const AdmissionFacts& facts);

}  // namespace lvrpo
