#include "learner/checkpoints/checkpoint_uploads.h"

#include "gmock/gmock.h"
#include "tests/checkpoints/store_fixture.h"
#include "tests/testing/stepped_executor.h"

namespace lvrpo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class CheckpointUploadsTest : public CheckpointStoreTest {
 protected:
  CheckpointUploadsTest() { keep_.set_last(2); }
  CheckpointUploads& uploads() {
    if (uploads_ == nullptr) {
      store_ = MakeStore();
      uploads_ = std::make_unique<CheckpointUploads>(
          CheckpointUploads::Options{.run_dir = run_.path(), .keep = keep_}, *store_, executor_,
          [this](const v1::CheckpointRecord& record) {
            if (record_error_.ok()) recorded_.push_back(record);
            return record_error_;
          },
          time_.waiting(), metrics_);
    }
    return *uploads_;
  }
  // Steps whose COMPLETE is there.
  std::vector<int64_t> Stored() const {
    std::vector<int64_t> steps;
    for (int64_t step = 0; step < 100; ++step) {
      if (InStore(absl::StrCat(FileName(CheckpointPath(step)), "/COMPLETE"))) steps.push_back(step);
    }
    return steps;
  }

  v1::KeepConfig keep_;
  SteppedExecutor executor_;
  Metrics metrics_;
  absl::Status record_error_;
  std::vector<v1::CheckpointRecord> recorded_;
  std::unique_ptr<CheckpointStore> store_;
  std::unique_ptr<CheckpointUploads> uploads_;
};

TEST_F(CheckpointUploadsTest, SendsRecordsAndPrunes) {
  for (int64_t step = 1; step <= 4; ++step) {
    uploads().Add(Write(step, "a"));
    EXPECT_THAT(uploads().pending(), ElementsAre(step));
    EXPECT_FALSE(uploads().Has(step));
    executor_.StepAll();
    EXPECT_TRUE(uploads().Has(step));
  }
  EXPECT_THAT(uploads().pending(), IsEmpty());
  EXPECT_THAT(Stored(), ElementsAre(3, 4));
  ASSERT_EQ(recorded_.size(), 4u);
  EXPECT_EQ(recorded_[3].store(), "s3://bucket/runs/run-1/step_000004");
  EXPECT_EQ(recorded_[3].path(), "checkpoints/step_000004");
  EXPECT_THAT(metrics_.Render(), HasSubstr("lvrpo_learner_checkpoint_uploads_total{outcome=\"stored\"} 4"));
}

TEST_F(CheckpointUploadsTest, TheNewestGoesFirstAndWhatWouldNotStayIsLeftOut) {
  for (int64_t step = 1; step <= 4; ++step) uploads().Add(Write(step, "a"));
  EXPECT_THAT(uploads().pending(), ElementsAre(1, 2, 3, 4));
  executor_.Step();
  EXPECT_THAT(uploads().pending(), ElementsAre(3));
  executor_.StepAll();
  EXPECT_THAT(Stored(), ElementsAre(3, 4));
  EXPECT_EQ(recorded_[0].step(), 4);
  EXPECT_EQ(recorded_.size(), 2u);
}

TEST_F(CheckpointUploadsTest, SaysTroubleAndTriesAgainAsLongAsItTakes) {
  fake_.Fail({.times = 1000000, .code = 503, .name = "SlowDown"});
  uploads().Add(Write(1, "a"));
  for (int i = 0; i < 5; ++i) executor_.Step();
  EXPECT_THAT(uploads().pending(), ElementsAre(1));
  EXPECT_THAT(uploads().trouble(), HasSubstr("checkpoints/step_000001 is not in the object store: "));
  EXPECT_THAT(uploads().trouble(), HasSubstr("SlowDown"));
  EXPECT_THAT(time_.waits, ::testing::IsSupersetOf({absl::Seconds(5), absl::Seconds(10), absl::Seconds(20),
                                                    absl::Seconds(40), absl::Seconds(60)}));
  EXPECT_THAT(metrics_.Render(), HasSubstr("lvrpo_learner_checkpoints_not_stored 1"));
  EXPECT_THAT(metrics_.Render(), HasSubstr("lvrpo_learner_checkpoint_uploads_total{outcome=\"failed\"} 5"));
}

TEST_F(CheckpointUploadsTest, GoesOnWhenTheStoreIsBackAndWhenTheCoordinatorIs) {
  fake_.Fail({.times = 4, .code = 500});
  uploads().Add(Write(1, "a"));
  executor_.Step();
  EXPECT_NE(uploads().trouble(), "");
  record_error_ = absl::UnavailableError("no coordinator");
  executor_.Step();
  EXPECT_FALSE(uploads().Has(1));
  record_error_ = absl::OkStatus();
  executor_.StepAll();
  EXPECT_TRUE(uploads().Has(1));
  EXPECT_EQ(uploads().trouble(), "");
}

TEST_F(CheckpointUploadsTest, GivesUpWhatCannotSucceed) {
  ASSERT_TRUE(Upload(*MakeStore(), Write(1, "another learner's")).ok());
  uploads().Add(Write(1, "a"));
  executor_.StepAll();
  EXPECT_THAT(uploads().trouble(), HasSubstr("another learner"));
  uploads().Add(Write(2, "a"));
  ASSERT_TRUE(RemoveTree(run_ / "checkpoints/step_000002").ok());
  executor_.StepAll();
  uploads().Add(Write(3, "a"));
  run_.Write("checkpoints/step_000003/policy.safetensors", "damaged");
  executor_.StepAll();
  EXPECT_THAT(uploads().pending(), IsEmpty());
  EXPECT_THAT(uploads().trouble(), HasSubstr("is damaged"));
  EXPECT_THAT(recorded_, IsEmpty());
  EXPECT_THAT(Stored(), ElementsAre(1));
}

TEST_F(CheckpointUploadsTest, TriesADamagedCheckpointThreeTimesWhateverFailedBefore) {
  fake_.Fail({.times = 8, .code = 503});
  uploads().Add(Write(1, "a"));
  executor_.Step();
  executor_.Step();
  for (int tries = 0; tries < 2; ++tries) {
    fake_.Fail({.kind = FakeS3::Kind::kDamageBody, .method = "PUT", .path = "optimizer", .times = 4});
    executor_.Step();
    EXPECT_THAT(uploads().pending(), ElementsAre(1)) << tries;
    EXPECT_THAT(uploads().trouble(), HasSubstr("XAmzContentSHA256Mismatch")) << tries;
  }
  executor_.StepAll();
  EXPECT_THAT(Stored(), ElementsAre(1));
}

TEST_F(CheckpointUploadsTest, DoesNotTryToRemoveOneAfterTheOtherFromAStoreThatIsAway) {
  keep_.set_last(1);
  fake_.Fail({.method = "DELETE", .times = 8, .code = 503});
  for (int64_t step = 1; step <= 3; ++step) {
    uploads().Add(Write(step, "a"));
    executor_.StepAll();
  }
  EXPECT_EQ(fake_.Count("DELETE", ""), 8);  // 4 tries after step 2, 4 after step 3
  EXPECT_THAT(Stored(), ElementsAre(1, 2, 3));
  uploads().Add(Write(4, "a"));
  executor_.StepAll();
  EXPECT_THAT(Stored(), ElementsAre(4));
}

TEST_F(CheckpointUploadsTest, ReplacesWhatWasAbandonedAlsoWhenTheStoreIsAwayAtTheStart) {
  const v1::CheckpointRecord one = Write(1, "a");
  ASSERT_TRUE(Upload(*MakeStore(), Write(2, "old")).ok());
  fake_.Fail({.times = 8, .code = 503});
  uploads().Begin(1, {one});
  executor_.Step();
  executor_.Step();
  EXPECT_THAT(uploads().pending(), ElementsAre(1));
  executor_.StepAll();
  uploads().Add(Write(2, "new"));
  executor_.StepAll();
  EXPECT_TRUE(uploads().Has(2)) << uploads().trouble();
}

TEST_F(CheckpointUploadsTest, AStartSendsWhatTheStoreLacksAndKnowsWhatItHas) {
  v1::CheckpointRecord one = Write(1, "a"), two = Write(2, "a"), three = Write(3, "a"),
                       four = Write(4, "old");
  ASSERT_TRUE(Upload(*MakeStore(), one).ok() && Upload(*MakeStore(), two).ok());
  ASSERT_TRUE(Upload(*MakeStore(), four).ok());  // of an abandoned step
  one.set_store("s3://bucket/runs/run-1/step_000001");
  two.set_store("s3://bucket/runs/run-1/step_000002");
  four.set_store("s3://bucket/runs/run-1/step_000004");
  uploads().Begin(3, {four, three, two, one});
  EXPECT_THAT(uploads().pending(), ElementsAre(3));
  executor_.StepAll();
  EXPECT_THAT(Stored(), ElementsAre(2, 3, 4));
  uploads().Add(Write(4, "new"));
  executor_.StepAll();
  EXPECT_TRUE(uploads().Has(4));
  EXPECT_THAT(Stored(), ElementsAre(3, 4));
}

// A learner that goes on from copies of step 7, which no checkpoint holds.
TEST_F(CheckpointUploadsTest, AStartBetweenCheckpointsSendsTheNewest) {
  uploads().Begin(7, {Write(5, "a"), Write(4, "a")});
  EXPECT_THAT(uploads().pending(), ElementsAre(5));
  executor_.StepAll();
  EXPECT_TRUE(uploads().Has(5)) << uploads().trouble();
}

}  // namespace
}  // namespace lvrpo
