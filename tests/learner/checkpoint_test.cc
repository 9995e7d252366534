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

TEST(PruneCheckpoints, KeepsTheNewestThatAreRecorded) {
  struct Case {
    std::vector<std::string> there;
    std::set<int64_t> recorded;
    int kept;
    std::vector<std::string> left;
  };
  for (const Case& c : std::vector<Case>{
           {{"step_000005", "step_000010", "step_000015"}, {5, 10, 15}, 2, {"step_000010", "step_000015"}},
           {{"step_000005", "step_000010"}, {5, 10}, 0, {"step_000010"}},  // the newest always stays
           // Another history's, and unfinished: they displace no recorded ones.
           {{"step_000008", "step_000010", "step_000015", "step_000015.unfinished"},
            {10, 15},
            2,
            {"step_000010", "step_000015"}},
           // Killed between writing 20 and recording it: it is replaced when its step is trained again.
           {{"step_000005", "step_000010", "step_000020"}, {5, 10}, 1, {"step_000010", "step_000020"}},
           // Begun again at step 0 by mistake: nothing of what was there is lost.
           {{"step_000003", "step_000006", "step_000009"},
            {3},
            1,
            {"step_000003", "step_000006", "step_000009"}},
           {{"step_000003", "notes"}, {}, 1, {"notes", "step_000003"}}}) {
    const TemporaryFolder here;
    const std::string folder = here.path();
    for (const std::string& name : c.there) ASSERT_TRUE(MakeFolder(folder + "/" + name).ok());
    PruneCheckpoints(folder, c.recorded, c.kept);
    EXPECT_THAT(*ListFolder(folder), ::testing::ElementsAreArray(c.left));
  }
}

}  // namespace
}  // namespace lvrpo
