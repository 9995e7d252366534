#include "learner/checkpoint_writer.h"

#include "gmock/gmock.h"
#include "tests/checkpoints/store_fixture.h"
#include "tests/testing/stepped_executor.h"

namespace lvrpo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class CheckpointWriterTest : public CheckpointStoreTest {
 protected:
  CheckpointWriterTest() { keep_.set_last(1); }
  CheckpointWriter MakeWriter() {
    const Waiting waiting = {.clock = &time_.clock, .sleep = [this](absl::Duration duration) {
                               time_.clock.Advance(duration);
                               if (on_sleep_) on_sleep_();
                             }};
    return {{.run_dir = run_.path(),
             .keep = keep_,
             .store = store_.get(),
             .uploads = uploads_.get(),
             .waiting = waiting},
            disk_,
            [this](const v1::CheckpointRecord& record, const std::string& weights_digest) {
              if (!record_error_.ok()) return record_error_;
              EXPECT_EQ(weights_digest, absl::StrCat("weights-", record.step()));
              recorded_.push_back(record);
              return absl::OkStatus();
            },
            metrics_};
  }
  void UseStore() {
    store_ = MakeStore();
    uploads_ = std::make_unique<CheckpointUploads>(
        CheckpointUploads::Options{.run_dir = run_.path(), .keep = keep_}, *store_, network_,
        [this](const v1::CheckpointRecord& record) {
          recorded_.push_back(record);
          return absl::OkStatus();
        },
        time_.waiting(), metrics_);
  }
  static Checkpoint Snapshot(int64_t step) {
    Checkpoint snapshot;
    snapshot.step = step;
    snapshot.weights_digest = absl::StrCat("weights-", step);
    snapshot.weights = {{"a", torch::full({3}, static_cast<double>(step))}};
    snapshot.optimizer = {{"b", torch::zeros({2})}};
    return snapshot;
  }
  std::vector<std::string> Folders() const {
    return ListFolder(run_ / "checkpoints").value_or(std::vector<std::string>());
  }

  v1::KeepConfig keep_;
  SteppedExecutor disk_, network_;
  Metrics metrics_;
  absl::Status record_error_;
  std::function<void()> on_sleep_;
  std::vector<v1::CheckpointRecord> recorded_;
  std::unique_ptr<CheckpointStore> store_;
  std::unique_ptr<CheckpointUploads> uploads_;
};

TEST_F(CheckpointWriterTest, WritesInTheBackgroundThenRecordsThenPrunes) {
  CheckpointWriter writer = MakeWriter();
  EXPECT_FALSE(writer.busy());
  EXPECT_FALSE(writer.TakeOutcome().has_value());
  for (int64_t step = 1; step <= 2; ++step) {
    writer.NoteReward(0.25);
    writer.NoteReward(0.75);
    writer.Write(Snapshot(step));
    EXPECT_TRUE(writer.busy());
    EXPECT_EQ(Folders().size(), static_cast<size_t>(step - 1));
    EXPECT_EQ(recorded_.size(), static_cast<size_t>(step - 1));
    EXPECT_FALSE(writer.TakeOutcome().has_value());
    disk_.StepAll();
    EXPECT_FALSE(writer.busy());
    const auto outcome = writer.TakeOutcome();
    ASSERT_TRUE(outcome.has_value());
    EXPECT_EQ(outcome->step, step);
    EXPECT_TRUE(outcome->written.ok() && outcome->recorded.ok());
    EXPECT_FALSE(writer.TakeOutcome().has_value());
  }
  EXPECT_THAT(Folders(), ElementsAre("step_000002"));
  EXPECT_EQ(recorded_[1].reward(), 0.5);
  const auto loaded = writer.Load(recorded_[1]);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_TRUE(torch::equal(loaded->weights.at("a"), torch::full({3}, 2.0)));
}

TEST_F(CheckpointWriterTest, ADiskThatCannotBeWrittenAndACoordinatorThatRefusesAreToldApart) {
  CheckpointWriter writer = MakeWriter();
  run_.Write("checkpoints", "a file in the folder's place");
  writer.Write(Snapshot(1));
  disk_.StepAll();
  auto outcome = writer.TakeOutcome();
  EXPECT_FALSE(outcome->written.ok());
  EXPECT_TRUE(recorded_.empty());
  ASSERT_TRUE(RemoveFile(run_ / "checkpoints").ok());
  record_error_ = absl::AbortedError("another history");
  writer.Write(Snapshot(1));
  disk_.StepAll();
  outcome = writer.TakeOutcome();
  EXPECT_TRUE(outcome->written.ok());
  EXPECT_EQ(outcome->recorded, record_error_);
}

// As when a rank is killed while it writes its part.
TEST_F(CheckpointWriterTest, ACheckpointWithoutAllPartsIsNotVisible) {
  for (const bool lost : {false, true}) {
    CheckpointWriter writer = MakeWriter();
    Checkpoint snapshot = Snapshot(1);
    snapshot.parts = 2;
    writer.Write(snapshot);
    if (lost) writer.NoteLost();
    const absl::Time began = time_.clock.Now();
    disk_.StepAll();
    const absl::Duration waited = time_.clock.Now() - began;
    EXPECT_LE(waited, lost ? absl::Seconds(3) : absl::Seconds(61));
    const auto outcome = writer.TakeOutcome();
    ASSERT_TRUE(outcome.has_value());
    EXPECT_TRUE(absl::IsDeadlineExceeded(outcome->written)) << outcome->written;
    EXPECT_THAT(Folders(), ::testing::IsEmpty());
    EXPECT_TRUE(recorded_.empty());
  }
  // The other part comes from another writer.
  CheckpointWriter writer = MakeWriter(), other = MakeWriter();
  Checkpoint snapshot = Snapshot(1);
  snapshot.parts = 2;
  writer.Write(snapshot);
  snapshot.part = 1;
  other.Write(snapshot);
  on_sleep_ = [this] { disk_.Step(); };
  disk_.StepAll();
  EXPECT_TRUE(writer.TakeOutcome()->written.ok());
  EXPECT_TRUE(other.TakeOutcome()->written.ok());
  EXPECT_THAT(Folders(), ElementsAre("step_000001"));
  ASSERT_EQ(recorded_.size(), 1u);
  EXPECT_TRUE(writer.Load(recorded_[0]).ok());
}

TEST_F(CheckpointWriterTest, AFreshNodeGetsAllPartsFromTheStore) {
  UseStore();
  CheckpointWriter writer = MakeWriter(), other = MakeWriter();
  Checkpoint snapshot = Snapshot(1);
  snapshot.parts = 2;
  snapshot.weights = {{"a", torch::arange(6, torch::kFloat32)}};
  for (const int part : {1, 0}) {
    snapshot.part = part;
    snapshot.optimizer = {{"image/exp_avg/a", torch::arange(3 * part, 3 * part + 3, torch::kFloat32)}};
    (part > 0 ? other : writer).Write(snapshot);
    disk_.StepAll();
  }
  network_.StepAll();
  ASSERT_TRUE(uploads_->Has(1)) << uploads_->trouble();
  ASSERT_TRUE(RemoveTree(run_ / "checkpoints").ok());
  const auto loaded = writer.Load(recorded_.back());
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_TRUE(torch::equal(loaded->optimizer.at("image/exp_avg/a"), torch::arange(6, torch::kFloat32)));
}

TEST_F(CheckpointWriterTest, AWriteThatFailsLosesNoRewards) {
  CheckpointWriter writer = MakeWriter();
  run_.Write("checkpoints", "a file in the folder's place");
  writer.NoteReward(0.25);
  writer.Write(Snapshot(1));
  writer.NoteReward(0.5);
  disk_.StepAll();
  ASSERT_TRUE(RemoveFile(run_ / "checkpoints").ok());
  writer.NoteReward(0.75);
  writer.Write(Snapshot(3));
  disk_.StepAll();
  writer.NoteReward(1);
  writer.Write(Snapshot(4));
  disk_.StepAll();
  ASSERT_EQ(recorded_.size(), 2u);
  EXPECT_EQ(recorded_[0].reward(), 0.5);
  EXPECT_EQ(recorded_[1].reward(), 1);
}

// A coordinator names the newest records only.
TEST_F(CheckpointWriterTest, FoldersOlderThanTheRecordsItKnowsStay) {
  CheckpointWriter writer = MakeWriter();
  ASSERT_TRUE(MakeFolder(run_ / "checkpoints/step_000100").ok());
  writer.Begin(300, {Write(300, "a"), Write(299, "a")});
  writer.Write(Snapshot(301));
  disk_.StepAll();
  EXPECT_THAT(Folders(), ElementsAre("step_000100", "step_000301"));
}

TEST_F(CheckpointWriterTest, AFolderStaysUntilItIsInTheStoreAndComesBackFromThere) {
  UseStore();
  CheckpointWriter writer = MakeWriter();
  for (int64_t step = 1; step <= 3; ++step) {
    writer.Write(Snapshot(step));
    disk_.StepAll();
  }
  EXPECT_THAT(Folders(), ElementsAre("step_000001", "step_000002", "step_000003"));  // none is sent yet
  network_.StepAll();
  EXPECT_TRUE(uploads_->Has(3));
  const v1::CheckpointRecord stored = recorded_.back();
  EXPECT_EQ(stored.store(), "s3://bucket/runs/run-1/step_000003");
  writer.Write(Snapshot(4));
  disk_.StepAll();
  EXPECT_THAT(Folders(), ElementsAre("step_000004"));
  // A fresh node, and one with a damaged folder.
  for (const char* name : {"", "/policy.safetensors"}) {
    ASSERT_TRUE(RemoveTree(run_ / stored.path() + name).ok());
    const auto loaded = writer.Load(stored);
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    EXPECT_TRUE(torch::equal(loaded->weights.at("a"), torch::full({3}, 3.0)));
  }
  // Gone from the store as well: an older one is tried next.
  ASSERT_TRUE(RemoveTree(run_ / stored.path()).ok());
  ASSERT_TRUE(store_->Remove(3).ok());
  EXPECT_TRUE(absl::IsNotFound(writer.Load(stored).status()));
  // A store that is away is no reason to go back further.
  fake_.Fail({.times = 1000, .code = 503});
  EXPECT_TRUE(absl::IsUnavailable(writer.Load(stored).status()));
}

TEST_F(CheckpointWriterTest, TheStoreMissesWhatWasRecordedBeforeItWasSent) {
  {
    CheckpointWriter writer = MakeWriter();
    writer.Write(Snapshot(1));
    disk_.StepAll();
  }
  UseStore();
  CheckpointWriter writer = MakeWriter();
  writer.Begin(1, recorded_);
  network_.StepAll();
  EXPECT_TRUE(uploads_->Has(1));
  EXPECT_THAT(recorded_.back().store(), HasSubstr("step_000001"));
}

}  // namespace
}  // namespace lvrpo
