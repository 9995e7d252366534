#include "coordinator/scaling/pool_sizer.h"

#include <algorithm>

namespace lvrpo {
namespace {

constexpr absl::Duration kComeBack = absl::Seconds(30);   // members that find a restarted coordinator
constexpr double kShortestStretch = 30, kLongestGap = 1;  // seconds
constexpr double kAllTheTime = .9;
constexpr absl::Duration kRemembered = absl::Hours(1);
// Scoring comes in bursts: several groups end together.
constexpr double kFullRollout = .8, kFullReward = .7;

// Blockers that more members of a pool could help with; all others need something else.
bool WaitsForGroups(Blocker::Kind kind) {
  return kind == Blocker::Kind::kGroups || kind == Blocker::Kind::kLease;
}

}  // namespace

void PoolSizer::Pool::Restart(int64_t members_now) {
  members = members_now;
  work = 0;
  busy = busy_time = lacking = waited_for = 0;
}

void PoolSizer::Restart(const RunNow& run) {
  measured_ = 0;
  settles_ = true;
  step_ = run.step;
  rollout_.Restart(run.workers);
  reward_.Restart(run.reward_servers);
}

void PoolSizer::Measure(const RunNow& run, double seconds) {
  measured_ += seconds;
  // Without a reward server nothing can be sampled: more workers would not help.
  const bool waits = WaitsForGroups(run.waits_for) && run.reward_servers > 0;
  const auto servers = static_cast<double>(run.reward_servers);
  rollout_.work = std::max(rollout_.work, run.groups_wanted + run.leased);
  rollout_.busy += seconds * static_cast<double>(run.busy_workers);
  rollout_.busy_time += seconds;
  if (waits && run.busy_workers > 0) rollout_.waited_for += seconds;
  if (waits && run.groups_wanted > 0) rollout_.lacking += seconds;
  reward_.work = std::max(reward_.work, run.workers);  // each has one group scored at a time
  if (run.scoring > 0) {
    reward_.busy += seconds * run.scoring;
    reward_.busy_time += seconds;
  }
  if (waits && run.scoring > servers) {
    reward_.waited_for += seconds;
    reward_.lacking += seconds;
  }
}

PoolStretch PoolSizer::StretchOf(const Pool& pool, double seconds, double full_load) {
  return {.members = pool.members,
          .work = pool.work,
          .busy = pool.busy_time > 0 ? pool.busy / pool.busy_time : 0,
          .full_load = full_load,
          .lacking = pool.lacking / seconds,
          .waited_for = pool.waited_for / seconds};
}

void PoolSizer::Apply(const PoolStretch& stretch, absl::Time now, Pool& pool) {
  if (IsTooSmall(stretch)) {
    pool.too_small = stretch.members;
    pool.found = now;
  }
  const int64_t floor = now - pool.found < kRemembered ? pool.too_small + 1 : 1;
  pool.wanted = NextSize(stretch, pool.wanted, floor);
  pool.decided = true;
}

void PoolSizer::Decide(const RunNow& run) {
  const PoolStretch reward = StretchOf(reward_, measured_, kFullReward);
  PoolStretch rollout = StretchOf(rollout_, measured_, kFullRollout);
  rollout.other_pool_lacks = IsTooSmall(reward);
  if (run.workers > 0) Apply(rollout, run.now, rollout_);
  if (run.reward_servers > 0) Apply(reward, run.now, reward_);
  Restart(run);
  settles_ = false;
}

PoolSizes PoolSizer::Update(const RunNow& run) {
  if (begun_ == absl::InfinitePast()) begun_ = run.now;
  const double seconds = std::clamp(absl::ToDoubleSeconds(run.now - last_), 0., kLongestGap);
  last_ = run.now;
  if (run.ends) return {.known = true};
  if (!run.learner_is_here) {
    Restart(run);
    return {.known = run.now - begun_ >= kComeBack};
  }
  for (auto [pool, members] : {std::pair(&rollout_, run.workers), std::pair(&reward_, run.reward_servers)}) {
    if (!pool->decided) pool->wanted = std::max<int64_t>(1, members);
  }
  // A pool that has grown is measured anew.
  if (run.held || run.workers > rollout_.members || run.reward_servers > reward_.members) {
    Restart(run);
  } else {
    Measure(run, seconds);
    const double lacking = std::max(rollout_.lacking, reward_.lacking);
    const bool only_lacks = lacking > kAllTheTime * measured_;
    if (settles_ && run.step != step_ && !only_lacks) {
      Restart(run);
      settles_ = false;
    } else if (measured_ >= kShortestStretch && (run.step != step_ || only_lacks)) {
      Decide(run);
    }
  }
  PoolSizes sizes{.known = true, .rollout = rollout_.wanted, .reward = reward_.wanted};
  if (run.reward_servers == 0) sizes.rollout = std::min(sizes.rollout, std::max<int64_t>(1, run.workers));
  return sizes;
}

}  // namespace lvrpo
