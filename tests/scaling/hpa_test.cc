// A Kubernetes autoscaler's arithmetic over simulated runs: pools must reach a size that keeps the learner
// busy, stay there, and go to zero at the end.

#include <algorithm>
#include <cmath>
#include <deque>
#include <string>
#include <vector>

#include "coordinator/scaling/pool_sizer.h"
#include "gtest/gtest.h"

namespace lvrpo {
namespace {

using Kind = Blocker::Kind;

// The HorizontalPodAutoscaler of one external metric with an AverageValue of 1, every 15 s
// (kubernetes.io, "Horizontal Pod Autoscaling", "Algorithm details"): desired = ceil(metric / target),
// nothing within a tenth of the current size, down only to the highest of the last 300 s; KEDA's part: zero
// while the scaler has not been active for 300 s, one as soon as it is.
class Autoscaler {
 public:
  explicit Autoscaler(int64_t most) : most_(most) {}
  int64_t Size(double second, const PoolSizes& sizes, int64_t metric, int64_t now) {
    if (!sizes.known) return now;
    if (metric > 0) active_ = second;
    if (now == 0) return metric > 0 ? 1 : 0;
    if (second - active_ > 300) return 0;
    if (second < next_) return now;
    next_ = second + 15;
    int64_t desired = std::clamp<int64_t>(metric, 1, most_);
    if (std::abs(static_cast<double>(metric) / static_cast<double>(now) - 1) <= .1) desired = now;
    recent_.emplace_back(second, desired);
    while (recent_.front().first < second - 300) recent_.pop_front();
    int64_t highest = 0;
    for (const auto& [when, size] : recent_) highest = std::max(highest, size);
    return desired > now ? desired : std::min(now, highest);
  }

 private:
  const int64_t most_;
  double active_ = 0, next_ = 0;
  std::deque<std::pair<double, int64_t>> recent_;
};

struct Times {
  double sample = 10, score = 1, update = 20, load = 60;  // seconds: of a group, of a step, of a new pod
  int64_t groups_per_step = 8, max_staleness = 1, steps = 150, most = 64;
};

// A run in steps of a quarter of a second: workers sample one group at a time and have it scored, first come,
// first served; the learner trains for a while on the groups of a step.
class SimulatedRun {
 public:
  explicit SimulatedRun(const Times& times)
      : times_(times), workers_scaler_(times.most), reward_scaler_(times.most) {}

  void Go(double seconds) {
    for (double end = now_ + seconds; now_ < end; now_ += kTick) Tick();
  }
  bool Finished() const { return step_ >= times_.steps; }
  int64_t workers() const { return static_cast<int64_t>(workers_.size()); }
  int64_t reward_servers() const { return reward_servers_; }
  // Size of the worker pool every time that it changed.
  const std::vector<int64_t>& changes() const { return changes_; }
  double seconds() const { return now_; }
  int64_t step() const { return step_; }
  bool learner_is_here = true;

 private:
  static constexpr double kTick = .25;
  struct Worker {
    double ready = 0, sampled = -1;  // joins then; its group is sampled then, -1: it has none
    bool scoring = false;
  };

  RunNow Now() const {
    RunNow run;
    run.now = absl::FromUnixSeconds(1000000000) + absl::Seconds(now_);
    run.learner_is_here = learner_is_here;
    run.ends = Finished();
    run.step = step_;
    for (const Worker& worker : workers_) {
      run.workers += worker.ready <= now_;
      run.busy_workers += worker.sampled >= 0;
    }
    run.reward_servers = ready_servers_;
    run.leased = run.busy_workers;
    run.groups_wanted = Room();
    run.scoring = static_cast<double>(queue_.size());
    if (!training_) run.waits_for = run.workers == 0 ? Kind::kJoin : Kind::kGroups;
    return run;
  }
  int64_t Room() const {
    int64_t leased = 0;
    for (const Worker& worker : workers_) leased += worker.sampled >= 0;
    const int64_t most = std::min(times_.max_staleness + 1, times_.steps - step_) * times_.groups_per_step;
    return std::max<int64_t>(0, most - leased - complete_ - (training_ ? times_.groups_per_step : 0));
  }
  void Score() {
    // Each server works on one group; a group in service is at the queue's front.
    for (size_t i = 0; i < queue_.size() && i < static_cast<size_t>(ready_servers_); ++i) queue_[i] -= kTick;
    while (!queue_.empty() && queue_.front() <= 0) {
      queue_.pop_front();
      ++complete_;
      for (Worker& worker : workers_) {
        if (!worker.scoring) continue;
        worker.scoring = false;
        worker.sampled = -1;
        break;
      }
    }
  }
  void Resize(int64_t size) {
    if (size == workers()) return;
    changes_.push_back(size);
    while (workers() < size) workers_.push_back({.ready = now_ + times_.load});
    while (workers() > size) {  // it hands back its group
      if (workers_.back().scoring) queue_.pop_back();
      workers_.pop_back();
    }
  }
  void Tick() {
    Score();
    for (Worker& worker : workers_) {
      if (worker.sampled >= 0 && !worker.scoring && worker.sampled <= now_) {
        worker.scoring = true;
        queue_.push_back(times_.score);
      }
      if (worker.sampled < 0 && worker.ready <= now_ && ready_servers_ > 0 && learner_is_here && Room() > 0)
        worker.sampled = now_ + times_.sample;
    }
    if (training_ && now_ >= trained_) {
      training_ = false;
      ++step_;
    }
    if (!training_ && !Finished() && learner_is_here && complete_ >= times_.groups_per_step) {
      complete_ -= times_.groups_per_step;
      training_ = true;
      trained_ = now_ + times_.update;
    }
    const PoolSizes sizes = sizer_.Update(Now());
    Resize(workers_scaler_.Size(now_, sizes, sizes.rollout, workers()));
    const int64_t servers = reward_scaler_.Size(now_, sizes, sizes.reward, reward_servers_);
    if (servers > reward_servers_) servers_ready_ = now_ + times_.load;
    reward_servers_ = servers;
    if (now_ >= servers_ready_ || ready_servers_ > reward_servers_) ready_servers_ = reward_servers_;
  }

  const Times times_;
  PoolSizer sizer_;
  Autoscaler workers_scaler_, reward_scaler_;
  double now_ = 0, trained_ = 0, servers_ready_ = 0;
  bool training_ = false;
  int64_t step_ = 0, complete_ = 0, reward_servers_ = 0, ready_servers_ = 0;
  std::vector<Worker> workers_;
  std::deque<double> queue_;
  std::vector<int64_t> changes_;
};

TEST(Autoscaling, ReachesASizeThatKeepsTheLearnerBusyAndGoesToZero) {
  struct {
    const char* what;
    Times times;
    int64_t fewest, largest;  // workers in the second half of the run
  } cases[] = {
      // A step takes 20 s and needs 8 groups of 11 s: 4.4 workers keep up.
      {"short groups", {}, 5, 8},
      {"one worker is enough", {.sample = 1, .score = .25}, 1, 1},
      {"steps of two minutes, 64 groups of a minute",  // 34 workers keep up
       {.sample = 60, .score = 4, .update = 120, .load = 300, .groups_per_step = 64, .steps = 120},
       35,
       64},
      // Strict: the learner always waits for a whole round; more workers than groups would idle.
      {"strict", {.max_staleness = 0}, 8, 8},
      {"the cluster has four", {.most = 4}, 4, 4},
  };
  for (const auto& c : cases) {
    SimulatedRun run(c.times);
    while (run.step() < c.times.steps / 2 && run.seconds() < 1e5) run.Go(1);
    const size_t settled = run.changes().size();
    const double begun = run.seconds();
    while (!run.Finished() && run.seconds() < 2e5) run.Go(1);
    ASSERT_TRUE(run.Finished()) << c.what;
    EXPECT_GE(run.workers(), c.fewest) << c.what;
    EXPECT_LE(run.workers(), c.largest) << c.what;
    EXPECT_LE(run.changes().size() - settled, 1u) << c.what << ": it swings";
    const double per_step = (run.seconds() - begun) / static_cast<double>(c.times.steps - c.times.steps / 2);
    if (c.times.max_staleness > 0 && c.times.most > 4) {
      EXPECT_LE(per_step, 1.1 * c.times.update) << c.what;
    }
    run.Go(400);
    EXPECT_EQ(run.workers(), 0) << c.what;
    EXPECT_EQ(run.reward_servers(), 0) << c.what;
  }
}

TEST(Autoscaling, SlowRewardsAddRewardServersAndHardlyWorkers) {
  SimulatedRun run(
      {.sample = 2, .score = 10});  // 8 groups of 12 s of which 10 are scoring: 4 servers, 5 workers
  while (run.step() < 140 && run.seconds() < 1e5) run.Go(1);
  EXPECT_GE(run.reward_servers(), 4);
  EXPECT_LE(run.reward_servers(), 10);
  EXPECT_LE(run.workers(), 10);
}

TEST(Autoscaling, ComesBackAfterALearnerThatWasAway) {
  SimulatedRun run({});
  while (run.step() < 40) run.Go(1);
  const int64_t before = run.workers();
  run.learner_is_here = false;
  run.Go(60);  // it starts again within a minute: the pools have not changed
  EXPECT_EQ(run.workers(), before);
  run.Go(600);
  EXPECT_EQ(run.workers(), 0);
  run.learner_is_here = true;
  run.Go(600);
  EXPECT_EQ(run.workers(), before);
}

}  // namespace
}  // namespace lvrpo
