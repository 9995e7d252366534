#include "coordinator/state/waiting.h"

#include "absl/strings/str_cat.h"

namespace lvrpo {
namespace {

using Kind = Blocker::Kind;

// Retired groups before the data, or the policy, is suspected of giving no signal.
constexpr int64_t kSuspicious = 4;  // times the groups of a step

Blocker Complaint(const PoolFacts& pool) {
  return {.kind = Kind::kComplaint,
          .member = pool.complainer,
          .since = pool.complains_since,
          .detail = pool.complaint,
          .obstacle = pool.obstacle};
}

// The learner has all groups of the step.
Blocker Training(const RunFacts& facts) {
  if (!facts.step_is_late) return {};
  return {.kind = Kind::kTraining, .since = facts.last_progress, .step = facts.step};
}

// An object store that is away holds up nothing but the end.
bool HoldsUp(const PoolFacts& pool) {
  return !pool.complaint.empty() && pool.obstacle != v1::OBSTACLE_OBJECT_STORE;
}

Blocker WaitingForGroups(const RunFacts& facts) {
  if (facts.complete >= facts.groups_per_step) return Training(facts);
  for (const PoolFacts* pool : {&facts.workers, &facts.reward_servers}) {
    if (HoldsUp(*pool)) return Complaint(*pool);
  }
  if (facts.unscorable_in_a_row > 0) {
    return {.kind = Kind::kUnscorable,
            .since = facts.last_progress,
            .detail = facts.unscorable_detail,
            .count = facts.unscorable_in_a_row};
  }
  if (facts.retired_in_a_row > kSuspicious * facts.groups_per_step) {
    const bool flat = 10 * facts.newest_flat >= 9 * facts.newest_groups;
    return {.kind = flat ? Kind::kFlatRewards : Kind::kRetired,
            .since = facts.last_progress,
            .count = facts.retired_in_a_row,
            .have = facts.newest_flat,
            .total = facts.newest_groups};
  }
  if (facts.held_ordinal >= 0) {
    return {.kind = Kind::kLease,
            .member = facts.holder,
            .ordinal = facts.held_ordinal,
            .since = facts.held_since,
            .have = facts.complete,
            .total = facts.groups_per_step};
  }
  return {.kind = Kind::kGroups,
          .since = facts.last_progress,
          .have = facts.complete,
          .total = facts.groups_per_step};
}

}  // namespace

Blocker WaitingFor(const RunFacts& facts) {
  if (facts.saved) return {};
  if (!facts.fatal.empty()) return {.kind = Kind::kCoordinator, .detail = facts.fatal};
  if (!facts.degraded.empty()) {
    return {.kind = Kind::kCoordinator,
            .since = facts.degraded_since,
            .detail = absl::StrCat("degraded: ", facts.degraded, "; it tries again by itself")};
  }
  const auto join = [&](v1::Role role) {
    return Blocker{.kind = Kind::kJoin, .since = facts.last_progress, .role = role};
  };
  if (facts.learners.members == 0) return join(v1::ROLE_LEARNER);
  if (!facts.ranks.missing.empty()) {
    Blocker blocker = RanksBlocker(facts.ranks);
    blocker.since = facts.last_progress;
    return blocker;
  }
  if (HoldsUp(facts.learners)) return Complaint(facts.learners);
  if (facts.slow_rank.waiting > 0) {
    return {.kind = Kind::kSlowRank,
            .member = facts.slow_rank.member,
            .since = facts.slow_rank.since,
            .have = facts.slow_rank.waiting};
  }
  if (!facts.started) return {.kind = Kind::kStart, .since = facts.last_progress};
  if (facts.workers.members == 0) return join(v1::ROLE_ROLLOUT_WORKER);
  if (facts.reward_servers.members == 0) return join(v1::ROLE_REWARD_SERVER);
  if (facts.finished)
    return {.kind = Kind::kLastCheckpoint, .since = facts.last_progress, .detail = facts.learners.complaint};
  if (facts.assigned > 0) return Training(facts);
  return WaitingForGroups(facts);
}

bool IsSaved(int64_t committed_steps, int64_t newest_checkpoint, int64_t total_steps) {
  return committed_steps >= total_steps && newest_checkpoint >= total_steps;
}

bool WatchdogIsDue(const WatchdogFacts& facts) {
  return !facts.spoke && !facts.leaving && facts.now - facts.last_progress > facts.patience;
}

}  // namespace lvrpo
