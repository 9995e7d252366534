// LearnerLoops of two ranks, each in a thread, with one scripted session.

#include "collectives/measured.h"
#include "common/files/filesystem.h"
#include "gmock/gmock.h"
#include "learner/checkpoint.h"
#include "tests/learner/loop_ranks_fixture.h"

namespace lvrpo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST_F(LoopRanksTest, RankZeroCommitsWhatAllHaveTrained) {
  script_.steps = {{Deliver(0, 0), Deliver(1, 1)}, {Deliver(2, 1), Deliver(3, 1)}};
  EXPECT_THAT(Run(), ElementsAre(absl::OkStatus(), absl::OkStatus()));
  EXPECT_THAT(script_.started_at, ElementsAre(0));
  ASSERT_EQ(script_.commits.size(), 2u);
  EXPECT_THAT(script_.commits[0].ordinals(), ElementsAre(0, 1));
  EXPECT_EQ(script_.commits[0].learner_epoch(), "E");
  EXPECT_EQ(script_.commits[0].metrics().at("samples"), 8);
  EXPECT_THAT(ranks_[0].metrics.Render(), HasSubstr("lvrpo_learner_samples_total 4"));
  EXPECT_THAT(ranks_[1].metrics.Render(), HasSubstr("lvrpo_learner_samples_total 12"));
  EXPECT_EQ(script_.checkpoints.size(), 2u);
  EXPECT_NE(ranks_[0].shelf.kept.Find(2), nullptr);
  EXPECT_EQ(ranks_[1].shelf.kept.Find(2), nullptr);  // rank 0 serves the weights
  for (int i = 0; i < count_; ++i) {
    EXPECT_EQ(ranks_[i].loop->step(), 2);
    EXPECT_EQ(ranks_[i].spool->bytes(), 0);
  }
}

TEST_F(LoopRanksTest, AllRanksGoOnFromTheSameCheckpoint) {
  script_.steps = {{Deliver(0, 0), Deliver(1, 1)}};
  ranks_[1].on_pause = [&] { ranks_[1].stop = true; };  // one stops: all leave
  EXPECT_THAT(Run(), ElementsAre(absl::OkStatus(), absl::OkStatus()));
  EXPECT_EQ(ranks_[0].loop->step(), 1);
  EXPECT_EQ(script_.checkpoints.size(), 1u);
  ranks_[1].on_pause = nullptr;
  ranks_[1].stop = false;
  Restart();
  script_.steps = {{Deliver(2, 0), Deliver(3, 1)}};
  EXPECT_THAT(Run(), ElementsAre(absl::OkStatus(), absl::OkStatus()));
  EXPECT_THAT(script_.started_at, ElementsAre(0, 1));
  EXPECT_EQ(ranks_[1].loop->step(), 2);
  EXPECT_TRUE(torch::equal(ranks_[0].trainer->trained().begin()->second,
                           ranks_[1].trainer->trained().begin()->second));
}

TEST_F(LoopRanksTest, ShardedRanksGoOnFromACheckpointOfWholeOnesToTheSameWeights) {
  config_.mutable_learner()->set_ordered_sums(true);
  std::vector<v1::CheckpointRecord> whole;  // newest first
  const auto state_of = [&](const v1::CheckpointRecord& record) {
    return LoadCheckpoint(run_ + "/" + record.path(), record.digest())->optimizer;
  };
  TensorMap state;
  for (const bool sharded : {false, true}) {
    config_.mutable_learner()->set_sharded(sharded);
    Restart();
    script_.steps = {{Deliver(2, 0), Deliver(3, 0), Deliver(4, 1)}};
    if (sharded) {
      script_.checkpoints = {whole[1]};
    } else {
      script_.steps.push_front({Deliver(0, 0), Deliver(1, 1)});
    }
    EXPECT_THAT(Run(), ElementsAre(absl::OkStatus(), absl::OkStatus()));
    if (!sharded) whole = script_.checkpoints, state = state_of(whole[0]);
  }
  EXPECT_THAT(script_.started_at, ElementsAre(0, 1));
  ASSERT_EQ(script_.commits.size(), 3u);
  EXPECT_EQ(script_.commits[2].new_version().digest(), script_.commits[1].new_version().digest());
  const TensorMap in_parts = state_of(script_.checkpoints[0]);
  ASSERT_EQ(in_parts.size(), state.size());
  for (const auto& [name, tensor] : state) EXPECT_TRUE(torch::equal(in_parts.at(name), tensor)) << name;
  EXPECT_NE(ranks_[0].shelf.kept.Find(2), nullptr);
}

TEST_F(LoopRanksTest, ShardedRanksGoOnWithBf16WeightsAsIfTheyHadNeverStopped) {
  config_.mutable_model()->set_weights_dtype("bf16");
  config_.mutable_learner()->set_ordered_sums(true);
  config_.mutable_learner()->set_sharded(true);
  std::string digest;
  for (const bool stopped : {false, true}) {
    Restart();
    script_.steps = {{Deliver(2, 0), Deliver(3, 1)}};
    if (stopped) {
      script_.checkpoints.erase(script_.checkpoints.begin());  // of the second step
    } else {
      script_.steps.push_front({Deliver(0, 0), Deliver(1, 1)});
    }
    EXPECT_THAT(Run(), ElementsAre(absl::OkStatus(), absl::OkStatus()));
    if (!stopped) digest = script_.commits.back().new_version().digest();
  }
  EXPECT_THAT(script_.started_at, ElementsAre(0, 1));
  EXPECT_EQ(script_.commits.back().new_version().digest(), digest);
}

TEST_F(LoopRanksTest, AGroupThatItsRankCannotReadIsTrainedByNobody) {
  const v1::AssignedGroup good = Deliver(0, 0), missing = Deliver(1, 1);
  ASSERT_TRUE(RemoveFile(SpoolFolderOf(run_, 1) + "/1-0.group").ok());
  script_.steps = {{good, missing}, {good, Deliver(2, 1)}};
  script_.total_steps = 1;
  config_.mutable_train()->set_steps(1);
  Restart();
  EXPECT_THAT(Run(), ElementsAre(absl::OkStatus(), absl::OkStatus()));
  ASSERT_EQ(script_.lost_groups.size(), 1u);
  EXPECT_EQ(script_.lost_groups[0].groups(0).ordinal(), 1);
  EXPECT_EQ(script_.lost_groups[0].learner_epoch(), "E");
  EXPECT_EQ(script_.commits[0].metrics().at("groups_given_up"), 1);  // rank 1's
  for (int i = 0; i < count_; ++i)
    EXPECT_THAT(ranks_[i].metrics.Render(), HasSubstr("lvrpo_learner_samples_total 4"));
}

// However long that takes: each of its waits is an operation of all ranks.
TEST_F(LoopRanksTest, RanksWaitUntilRankZeroHasSavedTheLastCheckpoint) {
  SteppedExecutor disk;
  writing_ = &disk;
  config_.mutable_train()->set_checkpoint_every(0);
  Restart();
  ranks_[1].collectives = Measured(std::move(ranks_[1].collectives), ranks_[1].metrics, RealClock());
  script_.view.set_draining(true);
  int pauses = 0;
  ranks_[0].on_pause = [&] {
    if (++pauses == 10) disk.StepAll();
  };
  EXPECT_THAT(Run(), ElementsAre(absl::OkStatus(), absl::OkStatus()));
  EXPECT_EQ(pauses, 10);
  EXPECT_EQ(script_.checkpoints.size(), 1u);
  // What it begins with, "wait" ten times, and the end: each word as its length and its letters.
  EXPECT_THAT(ranks_[1].metrics.Render(),
              HasSubstr("lvrpo_learner_collective_seconds_count{operation=\"broadcast\"} 23"));
}

TEST_F(LoopRanksTest, WhenOneHearsThatTheRunDrainsAllEndWell) {
  script_.view.set_draining(true);
  EXPECT_THAT(Run(), ElementsAre(absl::OkStatus(), absl::OkStatus()));
  for (int i = 0; i < count_; ++i) EXPECT_TRUE(ranks_[i].loop->drained());
  EXPECT_EQ(script_.checkpoints.size(), 1u);
}

TEST_F(LoopRanksTest, ARankThatCannotCommitTakesTheOthersAlong) {
  script_.steps = {{Deliver(0, 0), Deliver(1, 1)}};
  script_.commit_error = absl::AbortedError("another history");
  const std::vector<absl::Status> statuses = Run();
  EXPECT_EQ(statuses[0], script_.commit_error);
  EXPECT_TRUE(absl::IsAborted(statuses[1])) << statuses[1];
  EXPECT_THAT(std::string(statuses[1].message()), HasSubstr("no longer work together"));
}

TEST_F(LoopRanksTest, LeavesAnEpochThatIsOver) {
  *script_.view.mutable_learner_epoch() = epoch_;
  script_.view.mutable_learner_epoch()->set_id("F");
  script_.view.mutable_learner_epoch()->mutable_present(1)->set_process("another");
  for (const absl::Status& status : Run()) EXPECT_TRUE(absl::IsAborted(status)) << status;
  EXPECT_THAT(script_.asked_for, IsEmpty());
}

TEST_F(LoopRanksTest, OtherWeightsThanRankZeroHasAreRefused) {
  {
    const torch::NoGradGuard no_grad;
    ranks_[1].trainer->trained().begin()->second.add_(1);
  }
  const std::vector<absl::Status> statuses = Run();
  EXPECT_TRUE(absl::IsAborted(statuses[0])) << statuses[0];
  EXPECT_TRUE(absl::IsDataLoss(statuses[1])) << statuses[1];
  EXPECT_THAT(script_.started_at, IsEmpty());
}

}  // namespace
}  // namespace lvrpo
