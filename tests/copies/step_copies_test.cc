#include "learner/copies/step_copies.h"

#include <sys/stat.h>

#include "common/files/file.h"
#include "common/files/filesystem.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/temporary_folder.h"

namespace lvrpo {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class StepCopiesTest : public ::testing::Test {
 protected:
  std::unique_ptr<StepCopies> Open(const std::string& run = "run", const std::string& config = "c") const {
    absl::StatusOr<std::unique_ptr<StepCopies>> copies =
        StepCopies::Open({.folder = memory_.path(), .run_id = run, .config_digest = config});
    EXPECT_TRUE(copies.ok()) << copies.status();
    return copies.ok() ? *std::move(copies) : nullptr;
  }
  static TensorMap State(double value) {
    return {{"weights/a", torch::full({300}, value)},
            {"image/exp_avg/a", torch::full({300}, value / 2).to(torch::kBFloat16)},
            {"image/counters", torch::tensor({1, 2, 3, 4}, torch::kInt64)}};
  }
  static CopiedStep Step(int64_t step) { return {.step = step, .digest = "d" + std::to_string(step)}; }
  std::string In(const std::string& name) const { return memory_ / ("run/" + name); }

  const TemporaryFolder memory_;
  const CopyOffer own_ = {.epoch = "e", .parts = 2, .part = 1};
};

TEST_F(StepCopiesTest, TheNewestTwoStepsStayBitForBit) {
  const auto copies = Open();
  for (int64_t step = 1; step <= 3; ++step)
    ASSERT_TRUE(copies->Write(Step(step), own_, State(static_cast<double>(step))).ok());
  EXPECT_THAT(copies->Find(Step(1)), IsEmpty());
  for (const int64_t step : {2, 3}) {
    const auto again = Open();
    EXPECT_THAT(again->Find(Step(step)), ElementsAre(own_));
    const absl::StatusOr<TensorMap> read = again->Read(Step(step), own_);
    ASSERT_TRUE(read.ok()) << read.status();
    const TensorMap state = State(static_cast<double>(step));
    ASSERT_EQ(read->size(), state.size());
    for (const auto& [name, tensor] : state) {
      EXPECT_EQ(read->at(name).scalar_type(), tensor.scalar_type()) << name;
      EXPECT_TRUE(torch::equal(read->at(name), tensor)) << name;
    }
  }
  EXPECT_TRUE(absl::IsNotFound(copies->Read(Step(1), own_).status()));
  EXPECT_THAT(*ListFolder(memory_ / "run"), Not(Contains(HasSubstr(".tmp"))));
}

TEST_F(StepCopiesTest, IsOfOneRunConfigurationStepAndItsWeights) {
  ASSERT_TRUE(Open()->Write(Step(4), own_, State(4)).ok());
  EXPECT_THAT(Open("other")->Find(Step(4)), IsEmpty());
  EXPECT_THAT(Open("run", "other")->Find(Step(4)), IsEmpty());
  EXPECT_THAT(Open()->Find({.step = 4, .digest = "other weights"}), IsEmpty());
  EXPECT_THAT(Open()->Find({.step = 6, .digest = "d4"}), IsEmpty());
  EXPECT_EQ(Open()->token(), Open()->token());
  EXPECT_NE(Open()->token(), Open("other")->token());
}

// What is left of a process that was killed while it wrote step 5: its manifest was gone first.
TEST_F(StepCopiesTest, AWriteThatWasInterruptedLeavesTheOtherStep) {
  const auto copies = Open();
  for (int64_t step = 3; step <= 4; ++step) ASSERT_TRUE(copies->Write(Step(step), own_, State(1)).ok());
  ASSERT_TRUE(RemoveFile(In("step-1.part-1-of-2.json")).ok());
  ASSERT_TRUE(WriteFileAtomic(In("step-1.part-1-of-2.safetensors"), "half of it").ok());
  EXPECT_THAT(copies->Find(Step(3)), IsEmpty());
  EXPECT_THAT(copies->Find(Step(5)), IsEmpty());
  EXPECT_TRUE(copies->Read(Step(4), own_).ok());
}

TEST_F(StepCopiesTest, DamageIsNoticed) {
  const auto copies = Open();
  const std::string path = In("step-0.part-1-of-2.safetensors");
  ASSERT_TRUE(copies->Write(Step(4), own_, State(4)).ok());
  const std::string intact = *ReadFile(path);
  std::string flipped = intact;
  flipped.back() ^= 1;
  for (const std::string& bytes : {flipped, intact.substr(0, intact.size() / 2), std::string()}) {
    ASSERT_TRUE(WriteFileAtomic(path, bytes).ok());
    EXPECT_TRUE(absl::IsDataLoss(copies->Read(Step(4), own_).status())) << bytes.size();
  }
  ASSERT_TRUE(WriteFileAtomic(path, intact).ok());
  EXPECT_TRUE(copies->Read(Step(4), own_).ok());
  for (const char* manifest : {"", "{", "[1]", "{\"part\": \"x\"}"}) {
    ASSERT_TRUE(WriteFileAtomic(In("step-0.part-1-of-2.json"), manifest).ok());
    EXPECT_THAT(copies->Find(Step(4)), IsEmpty());
    EXPECT_FALSE(copies->Read(Step(4), own_).ok());
  }
}

TEST_F(StepCopiesTest, AShorterStateLeavesNothingOfALongerOne) {
  const auto copies = Open();
  TensorMap large = State(1);
  large["weights/b"] = torch::ones({100000});
  ASSERT_TRUE(copies->Write(Step(2), own_, large).ok());
  ASSERT_TRUE(copies->Write(Step(4), own_, State(4)).ok());
  EXPECT_LT(*FileSize(In("step-0.part-1-of-2.safetensors")), 10000);
  EXPECT_TRUE(copies->Read(Step(4), own_).ok());
}

TEST_F(StepCopiesTest, WhereNothingCanBeWrittenNothingStays) {
  const auto copies = Open();
  ASSERT_TRUE(copies->Write(Step(2), own_, State(2)).ok());
  ASSERT_TRUE(RemoveFile(In("step-0.part-1-of-2.safetensors")).ok());
  ASSERT_TRUE(MakeFolder(In("step-0.part-1-of-2.safetensors")).ok());
  EXPECT_FALSE(copies->Write(Step(4), own_, State(4)).ok());
  EXPECT_THAT(copies->Find(Step(2)), IsEmpty());
  EXPECT_THAT(copies->Find(Step(4)), IsEmpty());
}

TEST_F(StepCopiesTest, RemovesWhatOtherNumbersOfRanksLeftInItsPlace) {
  const auto copies = Open();
  for (int64_t step = 2; step <= 3; ++step) {
    for (int part = 0; part < 3; ++part)
      ASSERT_TRUE(copies->Write(Step(step), {.epoch = "e", .parts = 3, .part = part}, State(1)).ok());
  }
  copies->RemoveOthers(4, {0, 1}, 2);
  EXPECT_THAT(copies->Find(Step(2)), IsEmpty());
  EXPECT_EQ(copies->Find(Step(3)).size(), 3u);
  ASSERT_TRUE(copies->Write(Step(4), own_, State(1)).ok());
  copies->RemoveOthers(4, {0, 1}, 2);
  EXPECT_THAT(copies->Find(Step(4)), ElementsAre(own_));
  copies->Remove();
  EXPECT_FALSE(Exists(memory_ / "run"));
}

TEST_F(StepCopiesTest, AFolderThatOthersMayWriteToIsNotUsed) {
  ASSERT_TRUE(MakeFolder(memory_ / "run").ok());
  ASSERT_EQ(chmod((memory_ / "run").c_str(), 0777), 0);
  const StepCopies::Options options = {.folder = memory_.path(), .run_id = "run", .config_digest = "c"};
  const absl::Status status = StepCopies::Open(options).status();
  EXPECT_TRUE(absl::IsPermissionDenied(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("only this user"));
  EXPECT_FALSE(StepCopies::Open({.folder = memory_.path(), .run_id = "../x", .config_digest = "c"}).ok());
}

}  // namespace
}  // namespace lvrpo
