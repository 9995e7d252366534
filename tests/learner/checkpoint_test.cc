#include "learner/checkpoint.h"

#include "common/files/file.h"
#include "common/files/filesystem.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "learner/checkpoints/checkpoint_folder.h"
#include "tests/learner/tiny_run.h"
#include "tests/testing/temporary_folder.h"
#include "weight_plane/weight_buckets.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;

TEST(Checkpoint, ResumesBitForBitAndNoticesDamage) {
  const TemporaryFolder here;
  const std::string folder = here.path();
  const v1::RunConfig config = TinyRun();
  auto trainer = GrpoTrainer::Create(config, TinyModel());
  const auto step = [&](GrpoTrainer& t, int64_t n) {
    ASSERT_TRUE(
        t.Step({TrainImages(t.policy(), config, 2 * n), TrainTexts(t.policy(), config, 2 * n + 1)}, n).ok());
  };
  step(**trainer, 0);
  Checkpoint saved;
  saved.step = 1;
  saved.weights_digest = PackWeights((*trainer)->trained(), 1).manifest.version().digest();
  saved.weights = CloneTensors((*trainer)->trained());
  saved.optimizer = (*trainer)->OptimizerState();
  const auto digest = SaveCheckpoint(folder + "/step_000001", saved);
  ASSERT_TRUE(digest.ok()) << digest.status();
  step(**trainer, 1);

  const auto loaded = LoadCheckpoint(folder + "/step_000001", *digest);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  auto resumed = GrpoTrainer::Create(config, TinyModel());
  ASSERT_TRUE((*resumed)->RestoreWeights(loaded->weights).ok());
  ASSERT_TRUE((*resumed)->RestoreOptimizers(loaded->optimizer).ok());
  EXPECT_EQ(PackWeights((*resumed)->trained(), 1).manifest.version().digest(), saved.weights_digest);
  step(**resumed, 1);
  EXPECT_EQ(PackWeights((*resumed)->trained(), 2).manifest.version().digest(),
            PackWeights((*trainer)->trained(), 2).manifest.version().digest());

  EXPECT_TRUE(absl::IsDataLoss(LoadCheckpoint(folder + "/step_000001", std::string(64, '0')).status()));
  for (const std::string name : {"policy.safetensors", "optimizer.safetensors"}) {
    const std::string path = folder + "/step_000001/" + name, intact = *ReadFile(path);
    std::string bytes = intact;
    bytes.back() ^= 1;
    ASSERT_TRUE(WriteFileAtomic(path, bytes).ok());
    const auto damaged = LoadCheckpoint(folder + "/step_000001", *digest);
    EXPECT_TRUE(absl::IsDataLoss(damaged.status())) << name;
    EXPECT_THAT(std::string(damaged.status().message()), HasSubstr(name + " is damaged"));
    ASSERT_TRUE(WriteFileAtomic(path, intact).ok());
  }
}

class CheckpointInPartsTest : public ::testing::Test {
 protected:
  CheckpointInPartsTest() {
    for (int part = kParts - 1; part >= 0; --part) {
      Checkpoint checkpoint;
      checkpoint.step = 7;
      checkpoint.weights_digest = "w";
      checkpoint.made_by = "epoch";
      checkpoint.part = part;
      checkpoint.parts = kParts;
      checkpoint.optimizer = {{"image/exp_avg/a", flat_.narrow(0, 2 * part, 2)},
                              {"image/counters", torch::tensor({5}, torch::kInt64)}};
      if (part > 0) {
        EXPECT_TRUE(SavePart(path_, checkpoint).ok());
        EXPECT_FALSE(Exists(path_));
      } else {
        checkpoint.weights = {{"a", flat_.view({2, 3})}};
        digest_ = SaveCheckpoint(path_, checkpoint).value_or("");
      }
    }
  }

  static constexpr int kParts = 3;
  const torch::Tensor flat_ = torch::arange(6, torch::kFloat32);
  const TemporaryFolder here_;
  const std::string path_ = here_ / "checkpoints/step_000007";
  std::string digest_;
};

TEST_F(CheckpointInPartsTest, IsLoadedWhole) {
  const absl::StatusOr<Checkpoint> loaded = LoadCheckpoint(path_, digest_);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_TRUE(torch::equal(loaded->optimizer.at("image/exp_avg/a"), flat_.view({2, 3})));
  EXPECT_EQ(loaded->optimizer.at("image/counters").item<int64_t>(), 5);
  EXPECT_EQ(loaded->parts, 1);
  EXPECT_THAT(*ListFolder(here_ / "checkpoints"), ::testing::ElementsAre("step_000007"));
  const std::string manifest = ReadFile(path_ + "/manifest.json").value_or("");
  EXPECT_EQ(ReadManifestFiles(manifest)->size(), 1u + kParts);
}

TEST_F(CheckpointInPartsTest, APartThatIsMissingOrDamagedIsNamed) {
  const std::string name = "optimizer-00001-of-00003.safetensors", path = path_ + "/" + name;
  std::string bytes = *ReadFile(path);
  bytes.back() ^= 1;
  ASSERT_TRUE(WriteFileAtomic(path, bytes).ok());
  absl::Status status = LoadCheckpoint(path_, digest_).status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(name + " is damaged"));
  ASSERT_TRUE(RemoveFile(path).ok());
  status = LoadCheckpoint(path_, digest_).status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(name + " is missing"));
}

}  // namespace
}  // namespace lvrpo
