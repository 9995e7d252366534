#include "coordinator/page/sample_events.h"

#include "common/files/file.h"
#include "common/files/filesystem.h"
#include "data/image/png.h"
#include "gtest/gtest.h"
#include "tests/testing/temporary_folder.h"

namespace lvrpo {
namespace {

class SampleEventsTest : public ::testing::Test {
 protected:
  void Evaluate(const std::string& name) {
    const std::string folder = dir_ + "/images/" + name;
    ASSERT_TRUE(MakeFolder(folder).ok());
    ASSERT_TRUE(WritePng(folder + "/sample-0000.png", {8, 8, std::vector<uint8_t>(192, 7)}).ok());
    ASSERT_TRUE(WriteFileAtomic(folder + "/samples.json",
                                R"([{"id": "a", "image": "sample-0000.png"}, {"image": "sample-0001.png"}])")
                    .ok());
    ASSERT_TRUE(WriteFileAtomic(folder + "/rewards.json", R"([{"id": "a", "reward": 0.5}])").ok());
    ASSERT_TRUE(WriteFileAtomic(folder + "/scores.json", "{}").ok());
  }
  // Bytes of the event file, 0 without one.
  int64_t Size() {
    const absl::StatusOr<std::vector<std::string>> names = ListFolder(dir_ + "/tensorboard/samples");
    if (!names.ok() || names->empty()) return 0;
    EXPECT_EQ(names->size(), 1u);
    return *FileSize(dir_ + "/tensorboard/samples/" + names->front());
  }

  const TemporaryFolder folder_;
  const std::string dir_ = folder_.path();
  SampleEvents events_{dir_};
};

TEST_F(SampleEventsTest, AddsEachEvaluationOnceItIsComplete) {
  ASSERT_TRUE(events_.Update(0, 100).ok());
  EXPECT_EQ(Size(), 0);
  Evaluate("before");
  ASSERT_TRUE(MakeFolder(dir_ + "/images/step_000010").ok());  // has begun
  ASSERT_TRUE(events_.Update(10, 100).ok());
  const int64_t first = Size();
  EXPECT_GT(first, 200);
  ASSERT_TRUE(events_.Update(10, 101).ok());
  EXPECT_EQ(Size(), first);
  Evaluate("step_000010");
  ASSERT_TRUE(events_.Update(10, 102).ok());
  EXPECT_GT(Size(), first);
}

}  // namespace
}  // namespace lvrpo
