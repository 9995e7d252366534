#include "learner/storage_watch.h"

#include "common/files/file.h"
#include "common/files/filesystem.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/learner/spool_test.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;

class StorageWatchTest : public SpoolTest {
 protected:
  StorageWatchTest() { EXPECT_TRUE(spool_.Open().ok()); }
  // A file in the spool folder's place: no group can be stored.
  void BreakSpool() {
    ASSERT_TRUE(RemoveTree(run_ + "/spool").ok());
    ASSERT_TRUE(WriteFileAtomic(run_ + "/spool", "a file").ok());
    EXPECT_FALSE(Put(spool_, 1, 0, Bytes(1)).ok());
  }

  Spool spool_{run_ + "/spool", 2000, clock_};
  StorageWatch watch_{
      {.run_dir = run_, .patience = absl::Seconds(10), .pause = absl::Seconds(1)}, spool_, clock_};
};

TEST_F(StorageWatchTest, ReportsTroubleThatLastsAndWhenItIsOver) {
  BreakSpool();
  EXPECT_TRUE(watch_.Check().ok());
  EXPECT_EQ(watch_.trouble(), "");  // for a moment only, as far as is known
  clock_.Advance(absl::Seconds(1));
  EXPECT_TRUE(watch_.Check().ok());
  EXPECT_THAT(watch_.trouble(), HasSubstr("its disk: "));
  ASSERT_TRUE(RemoveFile(run_ + "/spool").ok());
  EXPECT_TRUE(watch_.Check().ok());  // the next probe is not due
  EXPECT_NE(watch_.trouble(), "");
  clock_.Advance(absl::Seconds(1));
  EXPECT_TRUE(watch_.Check().ok());
  EXPECT_EQ(watch_.trouble(), "");
}

TEST_F(StorageWatchTest, EndsARunThatCannotStoreGroups) {
  BreakSpool();
  clock_.Advance(absl::Seconds(9.9));
  EXPECT_TRUE(watch_.Check().ok());
  clock_.Advance(absl::Seconds(0.1));
  EXPECT_TRUE(absl::IsResourceExhausted(watch_.Check()));
}

TEST_F(StorageWatchTest, TrainingGoesOnWithoutCheckpointsAndWithAFullSpool) {
  watch_.NoteCheckpoint(absl::ResourceExhaustedError("no space left"));
  watch_.NoteCheckpoint(absl::ResourceExhaustedError("still none"));
  EXPECT_EQ(watch_.checkpoint_trouble(), "no space left");
  EXPECT_TRUE(absl::IsResourceExhausted(Put(spool_, 1, 0, Bytes(1, 3000))));
  clock_.Advance(absl::Minutes(10));
  EXPECT_TRUE(watch_.Check().ok());
  EXPECT_THAT(watch_.trouble(), HasSubstr("train.spool_mib"));  // groups come first
  spool_.RemoveBelow(100);
  watch_.NoteCheckpoint(absl::OkStatus());
  EXPECT_EQ(watch_.checkpoint_trouble(), "");
}

TEST_F(StorageWatchTest, ARunFolderThatIsGoneEndsTheRun) {
  ASSERT_TRUE(RemoveTree(run_).ok());
  EXPECT_TRUE(absl::IsNotFound(watch_.Check()));
}

}  // namespace
}  // namespace lvrpo
