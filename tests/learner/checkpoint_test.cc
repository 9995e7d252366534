#include "learner/checkpoint.h"

#include "common/files/file.h"
#include "common/files/filesystem.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
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

}  // namespace
}  // namespace lvrpo
