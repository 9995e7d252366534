#include "coordinator/scaling/pool_sizer.h"

#include "coordinator/scaling/pool_use.h"
#include "gtest/gtest.h"

namespace lvrpo {
namespace {

using Kind = Blocker::Kind;

class PoolSizerTest : public ::testing::Test {
 protected:
  // A learner that waits for groups, and all workers at work.
  static RunNow Starved(int64_t workers, int64_t reward_servers) {
    RunNow run;
    run.now = absl::FromUnixSeconds(1000000000);
    run.learner_is_here = true;
    run.waits_for = Kind::kGroups;
    run.groups_wanted = 16 - workers;
    run.leased = run.busy_workers = run.workers = workers;
    run.reward_servers = reward_servers;
    return run;
  }
  // The sizes after so many seconds of it.
  PoolSizes After(int seconds) {
    PoolSizes sizes;
    for (int tick = 0; tick < 4 * seconds; ++tick) {
      run_.now += absl::Milliseconds(250);
      sizes = sizer_.Update(run_);
    }
    return sizes;
  }

  RunNow run_ = Starved(0, 0);
  PoolSizer sizer_;
};

TEST_F(PoolSizerTest, WantsBothPoolsWithoutAnyMember) {
  run_.waits_for = Kind::kJoin;
  const PoolSizes sizes = After(1);
  EXPECT_TRUE(sizes.known);
  EXPECT_EQ(sizes.rollout, 1);
  EXPECT_EQ(sizes.reward, 1);
}

TEST_F(PoolSizerTest, WantsNobodyWithoutALearnerOrAtTheEnd) {
  run_ = Starved(4, 2);
  run_.learner_is_here = false;
  EXPECT_FALSE(After(29).known);  // it may have started again just now
  EXPECT_TRUE(After(2).known);
  EXPECT_EQ(After(1).rollout, 0);
  run_.learner_is_here = true;
  EXPECT_EQ(After(1).rollout, 4);
  run_.ends = true;
  const PoolSizes sizes = After(1);
  EXPECT_TRUE(sizes.known);
  EXPECT_EQ(sizes.rollout, 0);
  EXPECT_EQ(sizes.reward, 0);
}

TEST_F(PoolSizerTest, GrowsWhileTheLearnerWaitsForGroups) {
  run_ = Starved(2, 1);
  EXPECT_EQ(After(29).rollout, 2);
  EXPECT_EQ(After(4).rollout, 4);
  EXPECT_EQ(After(90).rollout, 4);  // none has joined: no more are asked for
  const auto workers = [&](int64_t count) {
    const absl::Time now = run_.now;
    run_ = Starved(count, 1);
    run_.now = now;
  };
  workers(4);
  EXPECT_EQ(After(33).rollout, 8);
  workers(8);
  EXPECT_EQ(After(33).rollout, 16);
  workers(16);
  EXPECT_EQ(After(90).rollout, 16);  // there is no more work
}

// More workers would help with none of these.
TEST_F(PoolSizerTest, DoesNotGrowForOtherReasons) {
  for (const Kind kind :
       {Kind::kNothing, Kind::kComplaint, Kind::kUnscorable, Kind::kFlatRewards, Kind::kRetired, Kind::kRanks,
        Kind::kStart, Kind::kCoordinator, Kind::kLastCheckpoint, Kind::kJoin}) {
    sizer_ = PoolSizer();
    run_ = Starved(4, 1);
    run_.waits_for = kind;
    EXPECT_EQ(After(120).rollout, 4) << static_cast<int>(kind);
  }
}

TEST_F(PoolSizerTest, WithoutRewardServersWorkersAreNotAdded) {
  run_ = Starved(4, 0);
  PoolSizes sizes = After(120);
  EXPECT_EQ(sizes.rollout, 4);
  EXPECT_EQ(sizes.reward, 1);
  run_.workers = 3;  // nor replaced
  EXPECT_EQ(After(1).rollout, 3);
}

TEST_F(PoolSizerTest, ABusyRewardPoolGrowsInsteadOfTheWorkers) {
  run_ = Starved(4, 1);
  run_.scoring = 4;
  const PoolSizes sizes = After(40);
  EXPECT_EQ(sizes.rollout, 4);
  EXPECT_EQ(sizes.reward, 2);
}

TEST_F(PoolSizerTest, HoldsWhileTheRecordsCannotBeWritten) {
  run_ = Starved(4, 1);
  run_.held = true;
  EXPECT_EQ(After(120).rollout, 4);
}

TEST_F(PoolSizerTest, ShrinksToWhatIsBusyAtTheEndOfAStep) {
  run_ = Starved(10, 5);
  run_.waits_for = Kind::kNothing;
  run_.busy_workers = 3;
  run_.scoring = 1;
  After(60);
  ++run_.step;                       // the first step had begun before
  EXPECT_EQ(After(60).rollout, 10);  // within a step nothing is decided
  ++run_.step;
  const PoolSizes sizes = After(1);
  EXPECT_EQ(sizes.rollout, 4);  // 3 / .8
  EXPECT_EQ(sizes.reward, 2);   // 1 / .7
}

TEST_F(PoolSizerTest, DoesNotGoBackToASizeThatWasTooSmall) {
  run_ = Starved(4, 1);
  EXPECT_EQ(After(40).rollout, 8);
  run_.workers = run_.busy_workers = 8;
  run_.waits_for = Kind::kNothing;
  run_.busy_workers = 3;
  for (int step = 0; step < 2; ++step) {
    After(40);
    ++run_.step;
  }
  EXPECT_EQ(After(1).rollout, 5);
  for (int minute = 0; minute < 61; ++minute) {
    After(60);
    ++run_.step;
  }
  EXPECT_EQ(After(1).rollout, 4);  // an hour later it may
}

TEST_F(PoolSizerTest, AGapInTheClockIsNotMeasured) {
  run_ = Starved(4, 1);
  After(2);
  run_.now += absl::Hours(1);
  EXPECT_EQ(After(2).rollout, 4);
}

TEST(PoolUse, SumsWhatThePoolsDidForAStep) {
  PoolUse use;
  RunNow run;
  run.now = absl::FromUnixSeconds(1000000000);
  run.busy_workers = 3;
  run.scoring = 1.5;
  use.Add(run);
  EXPECT_TRUE(use.Figures().empty());
  for (int tick = 0; tick < 8; ++tick) {
    run.now += absl::Milliseconds(250);
    use.Add(run);
  }
  EXPECT_EQ(use.Figures().at("seconds_rollout_busy"), 6);
  EXPECT_EQ(use.Figures().at("seconds_reward_busy"), 3);
  use.Restart();
  EXPECT_TRUE(use.Figures().empty());
  run.now += absl::Hours(1);  // a machine that slept
  use.Add(run);
  EXPECT_EQ(use.Figures().at("seconds_rollout_busy"), 3);
}

}  // namespace
}  // namespace lvrpo
