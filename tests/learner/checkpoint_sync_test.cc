#include "gtest/gtest.h"
#include "learner/checkpoint.h"
#include "tests/testing/synced_so_far.h"
#include "tests/testing/temporary_folder.h"

namespace lvrpo {
namespace {

// A checkpoint gets its name when all of it is on disk, and is recorded when its name is.
TEST(SaveCheckpoint, SyncsEachFileThenTheFolderThatNamesThem) {
  const TemporaryFolder folder;
  Checkpoint checkpoint;
  checkpoint.weights = {{"a", torch::ones({2})}};
  checkpoint.optimizer = {{"b", torch::ones({2})}};
  const SyncedSoFar synced;
  ASSERT_TRUE(SaveCheckpoint(folder / "step_000001", checkpoint).ok());
  const std::string weights = "file folder ", optimizer = "file folder ", manifest = "file folder ";
  EXPECT_EQ(synced.Kinds(), weights + optimizer + manifest + "folder");
}

}  // namespace
}  // namespace lvrpo
