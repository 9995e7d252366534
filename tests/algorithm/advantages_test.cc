#include "algorithm/advantages.h"

#include <limits>

#include "gtest/gtest.h"

namespace lvrpo {
namespace {

const float kNaN = std::numeric_limits<float>::quiet_NaN();

double First(const torch::Tensor& rewards, const AdvantageOptions& options) {
  return GroupAdvantages(rewards, {}, options).advantages[0][0].item<double>();
}

TEST(GroupAdvantages, GivesTheWorkedValues) {
  const torch::Tensor rewards = torch::tensor({{1., 0., 0., 1., .5, .5, 1., 0.}});
  EXPECT_NEAR(First(rewards, {.ddof = 1, .eps = 1e-4}), 1.079890, 1e-6);
  EXPECT_NEAR(First(rewards, {.ddof = 1, .eps = 1e-6}), 1.080121, 1e-6);
  EXPECT_NEAR(First(rewards, {.ddof = 0, .eps = 1e-4}), 1.154434, 1e-6);
  EXPECT_NEAR(First(rewards, {.scale = AdvantageScale::kNone}), .5, 1e-12);
  const torch::Tensor advantages = GroupAdvantages(rewards, {}, {}).advantages[0];
  EXPECT_EQ(advantages[4].item<double>(), 0);
  EXPECT_NEAR(advantages.sum().item<double>(), 0, 1e-12);
}

TEST(GroupAdvantages, BatchScaleKeepsTheGroupMean) {
  const torch::Tensor rewards = torch::tensor({{0., 1.}, {10., 10.}});
  const Advantages got = GroupAdvantages(rewards, {}, {.scale = AdvantageScale::kBatch});
  const double std = rewards.to(torch::kFloat64).std().item<double>();
  EXPECT_NEAR(got.advantages[0][1].item<double>(), .5 / (std + 1e-4), 1e-9);
  EXPECT_NEAR(got.group_mean[1].item<double>(), 10, 1e-12);
}

TEST(GroupAdvantages, ZeroVarianceIsARangeNotAStandardDeviation) {
  // 0.1 + 0.2 and 0.3 differ in the last bit of fp32: still a constant group.
  const torch::Tensor rewards = torch::tensor({{.3f, .1f + .2f, .3f}, {.3f, .3f, .30001f}});
  const torch::Tensor zero = GroupAdvantages(rewards, {}, {}).zero_variance;
  EXPECT_TRUE(zero[0].item<bool>());
  EXPECT_FALSE(zero[1].item<bool>());
}

TEST(GroupAdvantages, MissingRewardsAreLeftOut) {
  const torch::Tensor rewards = torch::tensor({{1.f, 0.f, kNaN}, {kNaN, 5.f, kNaN}, {kNaN, kNaN, kNaN}});
  const Advantages got = GroupAdvantages(rewards, {}, {.clamp = std::nullopt});
  EXPECT_NEAR(got.advantages[0][0].item<double>(), .5 / (std::sqrt(.5) + 1e-4), 1e-9);
  EXPECT_EQ(got.advantages[0][2].item<double>(), 0);
  EXPECT_EQ(got.advantages.slice(0, 1).abs().max().item<double>(), 0);
  EXPECT_EQ(got.group_mean[1].item<double>(), 5);
  EXPECT_TRUE(got.zero_variance[2].item<bool>());
}

TEST(GroupAdvantages, ClampsOutliers) {
  torch::Tensor rewards = torch::zeros({1, 64});
  rewards[0][0] = 1;
  EXPECT_NEAR(First(rewards, {.clamp = 5.}), 5, 1e-12);
  EXPECT_GT(First(rewards, {.clamp = std::nullopt}), 7);
}

// The reason GDPO exists: a rare hard reward is not drowned by a dense easy one.
TEST(GroupAdvantages, GdpoGivesARareRewardItsOwnScale) {
  torch::Tensor rewards = torch::zeros({2, 8, 2});
  rewards[0].select(1, 0).copy_(torch::arange(8) * 10.0);  // dense and large
  rewards[1].select(1, 0).copy_(torch::arange(8) * 10.0);
  rewards[0][2][1] = 1;  // rare and small
  const torch::Tensor weights = torch::ones({2});
  const auto gain = [&](RewardAggregation aggregation) {
    const torch::Tensor a = GroupAdvantages(rewards, weights, {.aggregation = aggregation}).advantages;
    return (a[0][2] - a[1][2]).item<double>();
  };
  EXPECT_LT(gain(RewardAggregation::kSumThenNormalize), .1);
  EXPECT_GT(gain(RewardAggregation::kGdpo), 1);
}

}  // namespace
}  // namespace lvrpo
