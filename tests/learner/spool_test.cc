#include "tests/learner/spool_test.h"

#include "common/files/file.h"
#include "common/files/filesystem.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "learner/ranks/rank_process.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;

TEST_F(SpoolTest, StoresChecksAndForgets) {
  Spool spool(run_ + "/spool");
  ASSERT_TRUE(spool.Open().ok());
  const std::string bytes = Bytes(3);
  ASSERT_TRUE(Put(spool, 3, 0, bytes).ok());
  ASSERT_TRUE(Put(spool, 3, 0, bytes).ok());
  EXPECT_EQ(spool.bytes(), static_cast<int64_t>(bytes.size()));
  EXPECT_EQ(spool.Get(3, 0, Sha256Hex(bytes))->ordinal(), 3);
  EXPECT_TRUE(absl::IsNotFound(spool.Get(3, 1, Sha256Hex(bytes)).status()));
  // Junk, and another group that parses.
  for (const std::string& other : {std::string("junk"), Bytes(3, 5)}) {
    ASSERT_TRUE(WriteFileAtomic(run_ + "/spool/3-0.group", other).ok());
    EXPECT_TRUE(absl::IsDataLoss(spool.Get(3, 0, Sha256Hex(bytes)).status()));
  }
  ASSERT_TRUE(Put(spool, 4, 0, Bytes(4)).ok());
  spool.RemoveBelow(4);
  EXPECT_TRUE(absl::IsNotFound(spool.Get(3, 0, Sha256Hex(bytes)).status()));
  EXPECT_TRUE(Has(spool, 4, 0, Bytes(4)));
  spool.RemoveBelow(5);
  EXPECT_EQ(spool.bytes(), 0);
}

TEST_F(SpoolTest, TakesExactlyWhatWasAnnounced) {
  Spool spool(run_ + "/spool");
  ASSERT_TRUE(spool.Open().ok());
  const std::string bytes = Bytes(3);
  const auto size = static_cast<int64_t>(bytes.size());
  EXPECT_TRUE(absl::IsDataLoss((*spool.Begin(3, 0, Sha256Hex(bytes), size + 1))->Commit()));
  EXPECT_TRUE(absl::IsDataLoss((*spool.Begin(3, 0, Sha256Hex(bytes), size - 1))->Append(bytes)));
  {
    const auto writer = spool.Begin(3, 0, std::string(64, '0'), size);
    ASSERT_TRUE((*writer)->Append(bytes).ok());
    EXPECT_EQ(spool.bytes(), size);
    EXPECT_TRUE(absl::IsDataLoss((*writer)->Commit()));
  }
  EXPECT_EQ(spool.bytes(), 0);
  EXPECT_TRUE(ListFolder(run_ + "/spool")->empty());
  EXPECT_FALSE(spool.trouble().has_value());  // the sender's fault, not the disk's
}

TEST_F(SpoolTest, AnAttemptReplacesThoseBeforeIt) {
  Spool spool(run_ + "/spool");
  ASSERT_TRUE(spool.Open().ok());
  for (const int attempt : {0, 2, 1}) ASSERT_TRUE(Put(spool, 3, attempt, Bytes(3)).ok());
  EXPECT_TRUE(Has(spool, 3, 2, Bytes(3)));  // a late upload does not replace it
  ASSERT_TRUE(Put(spool, 4, 0, Bytes(4)).ok());
  ASSERT_TRUE(Put(spool, 3, 5, Bytes(3)).ok());
  EXPECT_THAT(*ListFolder(run_ + "/spool"), ::testing::ElementsAre("3-5.group", "4-0.group"));
}

TEST_F(SpoolTest, HoldsNoMoreThanItMay) {
  Spool spool(run_ + "/spool", 3000, clock_);
  ASSERT_TRUE(spool.Open().ok());
  ASSERT_TRUE(Put(spool, 1, 0, Bytes(1, 1200)).ok());
  const auto coming = spool.Begin(2, 0, Sha256Hex(Bytes(2, 1000)), 1004);
  ASSERT_TRUE(coming.ok());
  ASSERT_TRUE((*coming)->Append(std::string(1000, 'x')).ok());
  // Received bytes count, also of incomplete groups.
  EXPECT_TRUE(absl::IsResourceExhausted(Put(spool, 3, 0, Bytes(3, 1200))));
  ASSERT_TRUE(spool.trouble().has_value());
  EXPECT_FALSE(spool.trouble()->disk);
  EXPECT_THAT(spool.trouble()->what, HasSubstr("train.spool_mib"));
  spool.RemoveBelow(2);
  EXPECT_FALSE(spool.trouble().has_value());
  EXPECT_TRUE(Put(spool, 3, 0, Bytes(3, 1200)).ok());
}

// Uploads that each fit when they begin, and do not together: what is announced and does not come takes no
// room.
TEST_F(SpoolTest, HoldsNoMoreThanItMayWhileSeveralGroupsCome) {
  Spool spool(run_ + "/spool", 3000, clock_);
  ASSERT_TRUE(spool.Open().ok());
  const std::string bytes = Bytes(1, 2000);
  const auto size = static_cast<int64_t>(bytes.size());
  auto first = spool.Begin(1, 0, Sha256Hex(bytes), size), second = spool.Begin(2, 0, Sha256Hex(bytes), size);
  ASSERT_TRUE(first.ok() && second.ok());
  ASSERT_TRUE((*first)->Append(bytes).ok());
  EXPECT_TRUE((*second)->Append(std::string(500, 'x')).ok());
  EXPECT_TRUE(absl::IsResourceExhausted((*second)->Append(std::string(1000, 'x'))));
  EXPECT_TRUE((*first)->Commit().ok());
  EXPECT_EQ(spool.bytes(), size + 500);
  second->reset();
  EXPECT_EQ(spool.bytes(), size);
}

// Each rank of a learner has a spool, and each of them what it may hold.
TEST_F(SpoolTest, EachRankHasItsOwnBoundAndKeepsItWhenItStartsAgain) {
  for (int start = 0; start < 2; ++start) {
    for (const int rank : {0, 1}) {
      Spool spool(SpoolFolderOf(run_, rank), 3000, clock_);
      ASSERT_TRUE(spool.Open().ok());
      if (start == 0) {
        EXPECT_TRUE(Put(spool, 1, 0, Bytes(1, 2000)).ok()) << rank;
      }
      EXPECT_EQ(spool.bytes(), static_cast<int64_t>(Bytes(1, 2000).size())) << rank;
      EXPECT_TRUE(absl::IsResourceExhausted(Put(spool, 2, 0, Bytes(2, 2000)))) << rank;
      if (start == 0) continue;
      EXPECT_TRUE(Has(spool, 1, 0, Bytes(1, 2000))) << rank;
      spool.RemoveBelow(2);
      EXPECT_TRUE(Put(spool, 2, 0, Bytes(2, 2000)).ok()) << rank;
    }
  }
}

TEST_F(SpoolTest, KnowsWhatAKilledProcessLeft) {
  {
    Spool spool(run_ + "/spool");
    ASSERT_TRUE(spool.Open().ok());
    ASSERT_TRUE(Put(spool, 3, 0, Bytes(3)).ok());
  }
  for (const char* name : {"4-0.group.tmp.17.0", "probe.group", "notes.txt"})
    ASSERT_TRUE(WriteFileAtomic(run_ + "/spool/" + name, "half").ok());
  Spool spool(run_ + "/spool");
  ASSERT_TRUE(spool.Open().ok());
  EXPECT_EQ(spool.bytes(), static_cast<int64_t>(Bytes(3).size()));
  EXPECT_TRUE(Has(spool, 3, 0, Bytes(3)));
  EXPECT_THAT(*ListFolder(run_ + "/spool"), ::testing::ElementsAre("3-0.group", "notes.txt"));
}

TEST_F(SpoolTest, MakesItsFolderAgainButNeverTheRuns) {
  Spool spool(run_ + "/spool", 1 << 20, clock_);
  ASSERT_TRUE(spool.Open().ok());
  ASSERT_TRUE(Put(spool, 1, 0, Bytes(1)).ok());
  ASSERT_TRUE(RemoveTree(run_ + "/spool").ok());
  EXPECT_TRUE(Put(spool, 2, 0, Bytes(2)).ok());
  EXPECT_EQ(spool.bytes(), static_cast<int64_t>(Bytes(2).size()));
  ASSERT_TRUE(RemoveTree(run_).ok());
  const absl::Status gone = Put(spool, 3, 0, Bytes(3));
  EXPECT_TRUE(absl::IsNotFound(gone));
  EXPECT_THAT(std::string(gone.message()), HasSubstr("is gone"));
  EXPECT_FALSE(IsFolder(run_));
}

TEST_F(SpoolTest, SaysWhyNothingCanBeStoredAndFindsOutWhenThatIsOver) {
  Spool spool(run_ + "/spool", 1 << 20, clock_);
  ASSERT_TRUE(spool.Open().ok());
  ASSERT_TRUE(RemoveTree(run_ + "/spool").ok());
  ASSERT_TRUE(WriteFileAtomic(run_ + "/spool", "a file").ok());  // in the folder's place
  EXPECT_FALSE(Put(spool, 1, 0, Bytes(1)).ok());
  const absl::Time since = clock_.Now();
  clock_.Advance(absl::Seconds(5));
  EXPECT_FALSE(Put(spool, 1, 0, Bytes(1)).ok());
  spool.Probe();
  ASSERT_TRUE(spool.trouble().has_value());
  EXPECT_TRUE(spool.trouble()->disk);
  EXPECT_EQ(spool.trouble()->since, since);
  ASSERT_TRUE(RemoveFile(run_ + "/spool").ok());
  spool.Probe();
  EXPECT_FALSE(spool.trouble().has_value());
  EXPECT_TRUE(ListFolder(run_ + "/spool")->empty());
}

}  // namespace
}  // namespace lvrpo
