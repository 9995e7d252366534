#include "pretraining/trainer.h"

#include <filesystem>
#include <limits>

#include "common/random.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/temporary_folder.h"

namespace lvrpo {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr int64_t kSteps = 12;

// A linear model on data that is a function of the iteration, as the trainer asks of its losses.
class TrainerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    options_ = {.steps = kSteps,
                .checkpoint_every = 4,
                .report_every = 100,
                .checkpoint = folder_ / "made/model.ckpt",
                .ema_decay = 0.9,
                .optimizer = {.learning_rate = 0.05,
                              .weight_decay = 0.01,
                              .warmup_steps = 3,
                              .total_steps = kSteps,
                              .cosine_floor = 0.1},
                .settings = {{"batch", "4"}, {"seed", "1"}}};
  }

  static TensorMap Weights(double value) {
    return {{"bias", torch::full({1}, value)}, {"weight", torch::full({3}, value)}};
  }
  static torch::Tensor Loss(const TensorMap& weights, int64_t iteration) {
    Random random(StreamSeed(7, static_cast<uint64_t>(iteration)));
    torch::Tensor x = torch::empty({4, 3});
    for (int64_t i = 0; i < x.numel(); ++i) x.view(-1)[i] = random.Uniform(-1, 1);
    const torch::Tensor target = x.sum(1) + 0.5;
    return (torch::matmul(x, weights.at("weight")) + weights.at("bias") - target).square().mean();
  }

  struct Result {
    absl::Status status;
    TensorMap weights, averaged;
  };
  // Trains from `start`; the loss is not a number in iterations `poisoned` and later.
  static Result Train(const TrainerOptions& options, double start, int64_t poisoned = kSteps) {
    const TensorMap weights = Weights(start);
    absl::StatusOr<Trainer> trainer = Trainer::Create("test", weights, options);
    if (!trainer.ok()) return {trainer.status(), {}, {}};
    const absl::Status status = trainer->Run([&](int64_t iteration, std::string*) {
      const torch::Tensor loss = Loss(weights, iteration);
      return iteration < poisoned ? loss : loss * std::numeric_limits<double>::quiet_NaN();
    });
    return {status, CloneTensors(weights), CloneTensors(trainer->averaged())};
  }
  static void ExpectSame(const Result& a, const Result& b) {
    ASSERT_TRUE(a.status.ok()) << a.status;
    ASSERT_TRUE(b.status.ok()) << b.status;
    EXPECT_EQ(DigestOf(a.weights), DigestOf(b.weights));
    EXPECT_EQ(DigestOf(a.averaged), DigestOf(b.averaged));
  }

  const TemporaryFolder folder_;
  TrainerOptions options_;
};

TEST_F(TrainerTest, AResumedRunEqualsAnUninterruptedOneBitForBit) {
  TrainerOptions alone = options_;
  alone.checkpoint.clear();
  const Result straight = Train(alone, 0.0);
  EXPECT_NE(DigestOf(straight.weights), DigestOf(straight.averaged));

  TrainerOptions half = options_;
  half.steps = 5;
  ASSERT_TRUE(Train(half, 0.0).status.ok());
  options_.resume = true;
  ExpectSame(Train(options_, 99.0), straight);  // whatever it starts from
  ExpectSame(Train(options_, 99.0), straight);  // a finished run has nothing left to do
}

TEST_F(TrainerTest, DivergenceEndsTheRunAndLeavesTheLastGoodCheckpoint) {
  const Result diverged = Train(options_, 0.0, /*poisoned=*/9);
  EXPECT_TRUE(absl::IsOutOfRange(diverged.status)) << diverged.status;
  EXPECT_THAT(std::string(diverged.status.message()), HasSubstr("iteration 12"));
  options_.resume = true;
  const Result resumed = Train(options_, 0.0);
  options_.resume = false;
  ExpectSame(resumed, Train(options_, 0.0));
}

TEST_F(TrainerTest, ASingleNonFiniteLossIsSkipped) {
  const TensorMap weights = Weights(0);
  auto trainer = Trainer::Create("test", weights, options_);
  ASSERT_TRUE(trainer.ok());
  const absl::Status status = trainer->Run([&](int64_t iteration, std::string*) {
    const bool bad = iteration == 3 || iteration == 4 || iteration == 7;
    return Loss(weights, iteration) * (bad ? std::numeric_limits<double>::infinity() : 1.0);
  });
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_TRUE(weights.at("weight").isfinite().all().item<bool>());
}

TEST_F(TrainerTest, RefusesACheckpointMadeWithOtherSettings) {
  ASSERT_TRUE(Train(options_, 0.0).status.ok());
  options_.resume = true;
  options_.settings = {{"batch", "4"}, {"seed", "2"}};
  const absl::Status status = Train(options_, 0.0).status;
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  const std::string message(status.message());
  EXPECT_THAT(message, AllOf(HasSubstr(options_.checkpoint), HasSubstr("seed: 1 there, 2 now")));
  EXPECT_THAT(message, Not(HasSubstr("batch")));
  options_.settings = {{"batch", "4"}, {"seed", "1"}, {"text_weight", "0.5"}};
  EXPECT_TRUE(absl::IsFailedPrecondition(Train(options_, 0.0).status));
  options_.resume = false;  // starting again is allowed
  EXPECT_TRUE(Train(options_, 0.0).status.ok());
}

TEST_F(TrainerTest, RefusesFilesThatAreNoCheckpoint) {
  options_.resume = true;
  EXPECT_TRUE(Train(options_, 0.0).status.ok());  // there is none: a fresh start
  ASSERT_TRUE(SaveTensors(options_.checkpoint, Weights(0), std::nullopt, options_.settings).ok());
  EXPECT_TRUE(absl::IsDataLoss(Train(options_, 0.0).status));
  options_.checkpoint.clear();
  EXPECT_TRUE(absl::IsInvalidArgument(Train(options_, 0.0).status));
}

}  // namespace
}  // namespace lvrpo
