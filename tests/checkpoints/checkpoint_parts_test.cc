#include "learner/checkpoints/checkpoint_parts.h"

#include "common/files/file.h"
#include "common/files/filesystem.h"
#include "common/hash.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "learner/checkpoints/checkpoint_folder.h"
#include "tests/testing/fake_clock.h"
#include "tests/testing/temporary_folder.h"

namespace lvrpo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

class CheckpointPartsTest : public ::testing::Test {
 protected:
  CheckpointPartsTest() {
    EXPECT_TRUE(MakeFolder(into_).ok());
    patience_.waiting = {.clock = &clock_, .sleep = [this](absl::Duration duration) {
                           clock_.Advance(duration);
                           slept_ += duration;
                           if (on_sleep_) on_sleep_();
                         }};
  }
  void Put(int part, const std::string& bytes) const {
    folder_.Write("checkpoints/" + FileName(from_) + "/" + OptimizerPart(part, kParts), bytes);
  }
  absl::Status Announce(int part) const { return AnnouncePart(from_, OptimizerPart(part, kParts)); }
  auto Take() { return TakeParts(from_, kParts, into_, patience_); }

  static constexpr int kParts = 3;
  const TemporaryFolder folder_;
  const std::string from_ = PartsFolder(folder_ / "checkpoints/step_000005", "epoch");
  const std::string into_ = folder_ / "checkpoints/step_000005.unfinished";
  FakeClock clock_;
  absl::Duration slept_;
  std::function<void()> on_sleep_;
  PartsPatience patience_;
};

TEST_F(CheckpointPartsTest, RankZeroTakesWhatTheOthersAnnounced) {
  Put(1, "one");
  ASSERT_TRUE(Announce(1).ok());
  Put(2, "two, and not announced");
  on_sleep_ = [this] {
    Put(2, "two");
    EXPECT_TRUE(Announce(2).ok());
  };
  const auto taken = Take();
  ASSERT_TRUE(taken.ok()) << taken.status();
  EXPECT_THAT(*taken, ElementsAre(Pair("optimizer-00001-of-00003.safetensors", Sha256Hex("one")),
                                  Pair("optimizer-00002-of-00003.safetensors", Sha256Hex("two"))));
  EXPECT_EQ(ReadFile(into_ + "/optimizer-00002-of-00003.safetensors").value_or(""), "two");
  EXPECT_FALSE(Exists(from_));
}

TEST_F(CheckpointPartsTest, WaitsAsLongAsSomethingIsWritten) {
  Put(1, "one");
  ASSERT_TRUE(Announce(1).ok());
  std::string bytes;
  on_sleep_ = [&] {
    if (slept_ < absl::Minutes(5) * (1 + bytes.size()) / 6) return;
    bytes += "x";
    Put(2, bytes);
    if (bytes.size() < 6) return;
    EXPECT_TRUE(Announce(2).ok());
  };
  patience_.silent = absl::Minutes(1);
  EXPECT_TRUE(Take().ok());
  EXPECT_GE(slept_, absl::Minutes(4));
}

TEST_F(CheckpointPartsTest, APartThatDoesNotComeIsNamed) {
  Put(1, "one");
  ASSERT_TRUE(Announce(1).ok());
  const absl::Status late = Take().status();
  EXPECT_TRUE(absl::IsDeadlineExceeded(late)) << late;
  EXPECT_THAT(std::string(late.message()), HasSubstr("optimizer-00002-of-00003.safetensors"));
  EXPECT_GE(slept_, patience_.silent);
  // Sooner when a rank is gone.
  slept_ = absl::ZeroDuration();
  patience_.lost = [] { return true; };
  EXPECT_TRUE(absl::IsDeadlineExceeded(Take().status()));
  EXPECT_LE(slept_, patience_.silent_when_lost + absl::Seconds(1));
}

TEST_F(CheckpointPartsTest, APartThatIsNotWhatItsRankSaidIsRefused) {
  Put(1, "one");
  ASSERT_TRUE(Announce(1).ok());
  Put(1, "longer than that");
  EXPECT_TRUE(absl::IsDataLoss(Take().status()));
  Put(1, "one");
  const std::string announcement = from_ + "/" + OptimizerPart(1, kParts) + ".json";
  for (const char* wrong : {"", "{}", "[]", "{\"bytes\": 3}", "{\"bytes\": 3, \"sha256\": 5}"}) {
    ASSERT_TRUE(WriteFileAtomic(announcement, wrong).ok());
    EXPECT_TRUE(absl::IsDataLoss(Take().status())) << wrong;
  }
  ASSERT_TRUE(WithdrawPart(from_, OptimizerPart(1, kParts)).ok());
  EXPECT_TRUE(absl::IsDeadlineExceeded(Take().status()));
}

TEST_F(CheckpointPartsTest, OthersPartsAreElsewhereAndRemovedWithUnfinishedCheckpoints) {
  EXPECT_NE(from_, PartsFolder(folder_ / "checkpoints/step_000005", "another epoch"));
  EXPECT_NE(from_, PartsFolder(folder_ / "checkpoints/step_000006", "epoch"));
  Put(1, "one");
  ASSERT_TRUE(MakeFolder(folder_ / "checkpoints/step_000005").ok());
  PruneCheckpoints(folder_ / "checkpoints", 5, {5});
  EXPECT_THAT(*ListFolder(folder_ / "checkpoints"), ElementsAre("step_000005"));
}

}  // namespace
}  // namespace lvrpo
