#include "coordinator/state/admission.h"

#include <algorithm>

#include "coordinator/state/versions.h"

namespace lvrpo {

int64_t MostOpenGroups(int64_t max_staleness, int64_t groups_per_step, int64_t steps_left) {
  return std::min(max_staleness + 1, steps_left) * groups_per_step;
}

Blocker Admit(const LeaseApplication& application, const AdmissionFacts& facts) {
  using Kind = Blocker::Kind;
  if (application.draining) return {.kind = Kind::kDraining};
  if (!application.learner_is_here) return {.kind = Kind::kJoin, .role = v1::ROLE_LEARNER};
  if (!application.ranks.missing.empty()) return RanksBlocker(application.ranks);
  // Nobody could score what is sampled.
  if (!application.reward_server_is_here) return {.kind = Kind::kJoin, .role = v1::ROLE_REWARD_SERVER};
  if (facts.finished) return {.kind = Kind::kFinished};
  if (!facts.started) return {.kind = Kind::kStart};
  if (!SameVersion(application.version, facts.current)) {
    return {.kind = Kind::kWeights,
            .member = application.member,
            .wanted = facts.current,
            .held = application.version};
  }
  if (facts.now < facts.late_until)
    return {.kind = Kind::kLate, .member = application.member, .limit = facts.lease_limit};
  if (!facts.ordinal_is_planned && facts.open_groups >= facts.most_open_groups)
    return {.kind = Kind::kStep, .step = facts.step};
  return {};
}

}  // namespace lvrpo
