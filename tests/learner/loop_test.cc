// LearnerLoop with a session that plays a script, and a clock that only its waits move.

#include "learner/loop.h"

#include <utility>

#include "common/files/file.h"
#include "common/files/filesystem.h"
#include "common/net/rpc.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "learner/checkpoint.h"
#include "nlohmann/json.hpp"
#include "tests/learner/loop_script.h"
#include "tests/learner/spool_test.h"
#include "tests/learner/tiny_run.h"
#include "tests/testing/stepped_executor.h"
#include "weight_plane/weight_buckets.h"

namespace lvrpo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

class LoopTest : public SpoolTest {
 protected:
  LoopTest() : spool_(run_ + "/spool", 1 << 30, clock_) {
    config_ = TinyRun();
    config_.mutable_train()->set_steps(2);
    config_.mutable_train()->set_checkpoint_every(1);
    EXPECT_TRUE(spool_.Open().ok());
    Restart();
  }
  // A separate learner process.
  void Restart() {
    loop_.reset();
    trainer_ = *GrpoTrainer::Create(config_, TinyModel());
    loop_ = std::make_unique<LearnerLoop>(
        LearnerLoop::Options{.config = config_, .run_dir = run_, .writing = writing_, .uploads = uploads_},
        [this](const v1::TrajectoryGroup& group) {
          return ReadGroup(group, ImagePrompt(), TinyRules(config_));
        },
        *trainer_, spool_, shelf_, script_.Session(),
        Waiting{.clock = &clock_,
                .sleep =
                    [this](absl::Duration duration) {
                      clock_.Advance(duration);
                      slept_ += duration;
                      if (on_sleep_) on_sleep_();
                    }},
        metrics_);
  }
  absl::Status Start() { return loop_->Start(script_.checkpoints, {}); }
  // Ends as soon as so many steps were committed.
  absl::Status RunUntil(size_t commits) {
    return loop_->Run([this, commits] { return script_.commits.size() >= commits; });
  }
  // As a worker delivers it and the coordinator assigns it.
  v1::AssignedGroup Deliver(v1::TrajectoryGroup group) {
    *group.mutable_version() = loop_->version();
    const std::string bytes = group.SerializeAsString();
    EXPECT_TRUE(Put(spool_, group.ordinal(), 0, bytes).ok());
    v1::AssignedGroup assigned;
    assigned.set_ordinal(group.ordinal());
    assigned.set_trajectory_digest(Sha256Hex(bytes));
    *assigned.mutable_version() = group.version();
    assigned.set_member_id("rollout-3");
    for (int slot = 0; slot < group.samples_size(); ++slot)
      *assigned.add_samples() = Summary(slot, static_cast<float>(slot % 2));
    return assigned;
  }
  v1::TrajectoryGroup Image(int64_t ordinal) const {
    return EncodeGroup(SampleImageGroup(trainer_->policy(), config_, ordinal), ImagePrompt().record,
                       config_.rollout());
  }
  static bool Never() { return false; }

  v1::RunConfig config_;
  Script script_;
  Metrics metrics_;
  Spool spool_;
  Shelf shelf_;
  absl::Duration slept_;
  std::function<void()> on_sleep_;
  InlineExecutor at_once_;
  Executor* writing_ = &at_once_;
  CheckpointUploads* uploads_ = nullptr;
  std::unique_ptr<GrpoTrainer> trainer_;
  std::unique_ptr<LearnerLoop> loop_;
};

TEST_F(LoopTest, TrainsCommitsAndGoesOnFromItsCheckpoint) {
  EXPECT_FALSE(loop_->started());
  ASSERT_TRUE(Start().ok());
  EXPECT_TRUE(loop_->started());
  EXPECT_THAT(script_.started_at, ElementsAre(0));
  script_.steps.push_back({Deliver(Image(0)), Deliver(Image(1))});
  ASSERT_TRUE(RunUntil(1).ok());
  const v1::CommitStepRequest commit = script_.commits[0];
  EXPECT_EQ(commit.step(), 0);
  EXPECT_THAT(commit.ordinals(), ElementsAre(0, 1));
  EXPECT_EQ(commit.new_version().number(), 1);
  EXPECT_EQ(commit.metrics().at("nonfinite"), 0);
  EXPECT_EQ(commit.metrics().at("groups_given_up"), 0);
  EXPECT_EQ(commit.metrics().at("samples"), 8);
  EXPECT_EQ(commit.metrics().at("sampler_log_prob_difference_same_version"), 0);
  for (const char* phase : {"wait", "load", "update", "publish"})
    EXPECT_TRUE(commit.metrics().contains(std::string("seconds_") + phase)) << phase;
  EXPECT_THAT(metrics_.Render(), HasSubstr("lvrpo_learner_step_value{name=\"nonfinite\"} 0"));
  EXPECT_THAT(metrics_.Render(), Not(HasSubstr("seconds_update")));  // among the phases
  EXPECT_THAT(metrics_.Render(), HasSubstr("lvrpo_learner_nonfinite_total 0"));
  EXPECT_THAT(metrics_.Render(), HasSubstr("lvrpo_learner_spool_bytes 0"));  // consumed
  EXPECT_THAT(metrics_.Render(), HasSubstr("lvrpo_learner_phase_seconds_count{phase=\"checkpoint\"} 1"));
  EXPECT_TRUE(ListFolder(run_ + "/spool")->empty());  // consumed
  ASSERT_EQ(script_.checkpoints.size(), 1u);

  const std::string digest = loop_->version().digest();
  Restart();
  ASSERT_TRUE(Start().ok());
  EXPECT_THAT(script_.started_at, ElementsAre(0, 1));
  EXPECT_EQ(loop_->version().digest(), digest);
  script_.steps.push_back({Deliver(Image(2)), Deliver(Image(3))});
  EXPECT_TRUE(loop_->Run(Never).ok());  // to the end of the run
  EXPECT_EQ(loop_->step(), 2);
  EXPECT_THAT(script_.asked_for, ElementsAre(0, 1));
  EXPECT_EQ(script_.checkpoints[0].step(), 2);
}

TEST_F(LoopTest, PublishesAVersionBeforeItCommitsIt) {
  ASSERT_TRUE(Start().ok());
  script_.steps.push_back({Deliver(Image(0)), Deliver(Image(1))});
  script_.commit_error = absl::AbortedError("another history");
  EXPECT_EQ(loop_->Run(Never), script_.commit_error);
  EXPECT_EQ(shelf_.kept.Find(1)->manifest.version().digest(), loop_->version().digest());
  EXPECT_NE(shelf_.kept.Find(1)->manifest.version().digest(),
            shelf_.kept.Find(0)->manifest.version().digest());
  EXPECT_THAT(script_.checkpoints, IsEmpty());
}

TEST_F(LoopTest, WaitsForGroupsAsLongAsItIsToldAndSaysSo) {
  ASSERT_TRUE(Start().ok());
  int pauses = 0;
  on_sleep_ = [&] {
    EXPECT_EQ(loop_->waits_for().words, "more groups");
    if (++pauses == 4) script_.steps.push_back({Deliver(Image(0)), Deliver(Image(1))});
  };
  ASSERT_TRUE(RunUntil(1).ok());
  EXPECT_EQ(slept_, absl::Seconds(1));
  EXPECT_EQ(loop_->waits_for().words, "");
  EXPECT_EQ(script_.commits[0].metrics().at("seconds_wait"), 1);
}

TEST_F(LoopTest, StartsTrainingAgainWithACoordinatorThatWasRestarted) {
  ASSERT_TRUE(Start().ok());
  v1::ErrorInfo info;
  info.set_reason(v1::REFUSAL_NOT_STARTED);
  script_.assign_errors.push_back(WithReason(absl::FailedPreconditionError("not started"), info));
  script_.steps.push_back({Deliver(Image(0)), Deliver(Image(1))});
  ASSERT_TRUE(RunUntil(1).ok());
  EXPECT_THAT(script_.started_at, ElementsAre(0, 0));
  script_.assign_errors.push_back(absl::InternalError("no such step"));
  EXPECT_EQ(loop_->Run(Never), absl::InternalError("no such step"));
}

TEST_F(LoopTest, EndsWhenItDrainsAndWhenItsMembershipIsOver) {
  ASSERT_TRUE(Start().ok());
  script_.view.set_draining(true);
  EXPECT_TRUE(loop_->Run(Never).ok());
  EXPECT_EQ(script_.checkpoints.size(), 1u);  // of the base weights
  script_.lost = absl::FailedPreconditionError("superseded");
  EXPECT_EQ(loop_->Run(Never), script_.lost);
  EXPECT_THAT(script_.asked_for, IsEmpty());
}

TEST_F(LoopTest, TakesTheCheckpointBeforeOneThatIsDamaged) {
  ASSERT_TRUE(Start().ok());
  script_.total_steps = 3;
  script_.steps.push_back({Deliver(Image(0)), Deliver(Image(1))});
  ASSERT_TRUE(RunUntil(1).ok());
  script_.steps.push_back({Deliver(Image(2)), Deliver(Image(3))});
  ASSERT_TRUE(RunUntil(2).ok());
  ASSERT_EQ(script_.checkpoints.size(), 2u);
  for (size_t newest = 0; newest < 2; ++newest) {
    const std::string weights = run_ + "/" + script_.checkpoints[newest].path() + "/policy.safetensors";
    ASSERT_TRUE(WriteFileAtomic(weights, "damaged").ok());
    Restart();
    EXPECT_EQ(Start().ok(), newest == 0);
    EXPECT_EQ(loop_->step(), newest == 0 ? 1 : 0);
  }
  EXPECT_THAT(script_.started_at, ElementsAre(0, 1));
}

TEST_F(LoopTest, ImagesWithTheNoiseOfOthersEndIt) {
  ASSERT_TRUE(Start().ok());
  SampledGroup broken = SampleImageGroup(trainer_->policy(), config_, 1);
  torch::Tensor& latents = std::get<ImageGroup>(broken.samples).latents;
  latents[3].copy_(latents[0]);
  script_.steps.push_back(
      {Deliver(Image(0)), Deliver(EncodeGroup(broken, ImagePrompt().record, config_.rollout()))});
  const absl::Status status = loop_->Run(Never);
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("only 0.875 of the images of step 0"));
  EXPECT_THAT(script_.commits, IsEmpty());
}

TEST_F(LoopTest, AGroupThatCannotBeTrainedCostsItself) {
  ASSERT_TRUE(Start().ok());
  const v1::AssignedGroup good = Deliver(Image(0));
  v1::TrajectoryGroup damaged = Image(1), other = Image(2), long_prompt = Image(3);
  damaged.mutable_samples(2)->set_log_probs(0, NAN);
  other.mutable_prompt()->set_id("another");
  for (int i = 0; i < 40000; ++i) long_prompt.add_prompt_ids(5);
  v1::AssignedGroup missing = Deliver(Image(4)), mixed_up = Deliver(Image(5));
  ASSERT_TRUE(RemoveFile(run_ + "/spool/4-0.group").ok());
  mixed_up.mutable_version()->set_number(7);
  script_.steps = {{good, Deliver(damaged)}, {Deliver(other), good}, {good, Deliver(long_prompt)},
                   {good, missing},          {good, mixed_up},       {good, Deliver(Image(6))}};
  ASSERT_TRUE(RunUntil(1).ok());
  const std::vector<v1::ReportLostGroupsRequest>& lost = script_.lost_groups;
  ASSERT_EQ(lost.size(), 5u);
  for (size_t i = 0; i < lost.size(); ++i) {
    ASSERT_EQ(lost[i].groups_size(), 1);
    EXPECT_EQ(lost[i].groups(0).ordinal(), static_cast<int64_t>(i) + 1);
    EXPECT_EQ(lost[i].groups(0).reason(), i == 3 ? v1::RETIRE_TRAJECTORY_LOST : v1::RETIRE_UNTRAINABLE);
  }
  EXPECT_THAT(lost[1].groups(0).detail(), HasSubstr("another prompt"));
  EXPECT_EQ(script_.commits[0].metrics().at("groups_given_up"), 5);
  EXPECT_THAT(
      metrics_.Render(),
      HasSubstr("lvrpo_learner_groups_given_up_total{member=\"rollout-3\",reason=\"untrainable\"} 4"));
}

TEST_F(LoopTest, SaysThatItsDiskFailsAndEndsWhenThatLasts) {
  ASSERT_TRUE(Start().ok());
  ASSERT_TRUE(RemoveTree(run_ + "/spool").ok());
  ASSERT_TRUE(WriteFileAtomic(run_ + "/spool", "a file").ok());  // in the folder's place
  EXPECT_FALSE(Put(spool_, 0, 0, Bytes(0)).ok());
  std::string said;
  on_sleep_ = [&] { said = loop_->waits_for().words; };
  const absl::Status status = loop_->Run(Never);
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_THAT(said, StartsWith("its disk: "));
  EXPECT_EQ(slept_, absl::Seconds(60));
}

TEST_F(LoopTest, GoesOnWhenTheDiskCanBeWrittenAgain) {
  ASSERT_TRUE(Start().ok());
  script_.steps.push_back({Deliver(Image(0)), Deliver(Image(1))});
  const std::string checkpoints = run_ + "/checkpoints";
  ASSERT_TRUE(WriteFileAtomic(checkpoints, "a file").ok());  // in the folder's place
  bool mended = false;
  on_sleep_ = [&] {  // after the first step: no other groups are complete yet
    if (std::exchange(mended, true)) return;
    EXPECT_EQ(script_.commits.size(), 1u);
    EXPECT_THAT(script_.checkpoints, IsEmpty());
    ASSERT_TRUE(RemoveFile(checkpoints).ok());
    script_.steps.push_back({Deliver(Image(2)), Deliver(Image(3))});
  };
  const absl::Status status = loop_->Run(Never);
  EXPECT_TRUE(status.ok()) << status;
  ASSERT_EQ(script_.checkpoints.size(), 1u);
  EXPECT_EQ(script_.checkpoints[0].step(), 2);
}

TEST_F(LoopTest, TriesToSaveTheLastCheckpointUntilItsPatienceIsOver) {
  ASSERT_TRUE(Start().ok());
  script_.view.set_draining(true);
  ASSERT_TRUE(WriteFileAtomic(run_ + "/checkpoints", "a file").ok());
  const absl::Status status = loop_->Run(Never);
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_EQ(slept_, absl::Seconds(60));
  slept_ = absl::ZeroDuration();
  EXPECT_TRUE(absl::IsResourceExhausted(loop_->Run([] { return true; })));  // told to stop: once
  EXPECT_EQ(slept_, absl::ZeroDuration());
}

// The disk writes when the test lets it.
TEST_F(LoopTest, TrainsOnWhileACheckpointIsWrittenAndWaitsForItAtTheEnd) {
  SteppedExecutor disk;
  writing_ = &disk;
  config_.mutable_train()->set_steps(3);
  config_.mutable_train()->set_checkpoint_every(2);
  config_.mutable_checkpoints()->mutable_kept()->set_last(2);
  script_.total_steps = 3;
  Restart();
  ASSERT_TRUE(Start().ok());
  std::vector<size_t> committed_when_written;
  on_sleep_ = [&] {
    // It waits: for groups, which come, until all steps are committed; then for the disk.
    if (script_.commits.size() < 3) {
      const auto next = static_cast<int64_t>(2 * script_.commits.size());
      script_.steps.push_back({Deliver(Image(next)), Deliver(Image(next + 1))});
    } else if (disk.Step()) {
      committed_when_written.push_back(script_.commits.size());
    }
  };
  const absl::Status status = loop_->Run(Never);
  ASSERT_TRUE(status.ok()) << status;
  // The checkpoint of step 2 was written after step 3, and has the weights of step 2.
  EXPECT_THAT(committed_when_written, ElementsAre(3, 3));
  ASSERT_EQ(script_.checkpoints.size(), 2u);
  EXPECT_EQ(script_.checkpoints[1].step(), 2);
  const auto second =
      LoadCheckpoint(run_ + "/" + script_.checkpoints[1].path(), script_.checkpoints[1].digest());
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(second->weights_digest, script_.commits[1].new_version().digest());
  EXPECT_EQ(PackWeights(second->weights, 2).manifest.version().digest(), second->weights_digest);
  EXPECT_EQ(script_.checkpoints[0].step(), 3);
}

TEST_F(LoopTest, ARecordThatIsRefusedEndsItAndOneInProgressIsWaitedFor) {
  SteppedExecutor disk;
  writing_ = &disk;
  Restart();
  ASSERT_TRUE(Start().ok());
  script_.steps.push_back({Deliver(Image(0)), Deliver(Image(1))});
  bool failed = false;
  on_sleep_ = [&] {
    if (std::exchange(failed, true)) {
      disk.Step();
    } else {
      script_.assign_errors.push_back(absl::InternalError("a bug"));
    }
  };
  EXPECT_EQ(loop_->Run(Never), absl::InternalError("a bug"));
  EXPECT_EQ(script_.checkpoints.size(), 1u);
  Restart();
  ASSERT_TRUE(Start().ok());
  on_sleep_ = [&] { disk.Step(); };
  script_.record_error = absl::AbortedError("another history");
  script_.steps.push_back({Deliver(Image(2)), Deliver(Image(3))});
  EXPECT_EQ(loop_->Run(Never), script_.record_error);
}

TEST_F(LoopTest, WaitsForTheStoreAtTheEndAndNotWhenItsMembershipIsOver) {
  SteppedExecutor network;  // on which nothing is sent
  CheckpointStore store({.server = {.endpoint = "http://127.0.0.1:9", .region = "r"}, .bucket = "bucket"},
                        "");
  CheckpointUploads uploads({.run_dir = run_, .keep = {}}, store, network, nullptr, {}, metrics_);
  uploads_ = &uploads;
  Restart();
  ASSERT_TRUE(Start().ok());
  script_.view.set_draining(true);
  const absl::Status status = loop_->Run(Never);
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_EQ(slept_, absl::Seconds(config_.checkpoints().last_upload_seconds()));
  slept_ = absl::ZeroDuration();
  on_sleep_ = [&] { script_.lost = absl::FailedPreconditionError("superseded"); };
  EXPECT_EQ(loop_->Run(Never), script_.lost);
  EXPECT_LT(slept_, absl::Seconds(10));
  loop_.reset();
}

TEST_F(LoopTest, EndsWithItsRunFolder) {
  ASSERT_TRUE(Start().ok());
  ASSERT_TRUE(RemoveTree(run_).ok());
  const absl::Status status = loop_->Run(Never);
  EXPECT_TRUE(absl::IsNotFound(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("is gone"));
}

}  // namespace
}  // namespace lvrpo
