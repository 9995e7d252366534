#include "algorithm/optimizer.h"

#include <cmath>
#include <limits>

#include "gtest/gtest.h"

namespace lvrpo {
namespace {

TensorMap SmallModel(uint64_t seed) {
  torch::manual_seed(seed);
  TensorMap parameters = {{"a", torch::randn({3, 4})}, {"b", torch::randn({5})}};
  for (auto& [name, tensor] : parameters) tensor.requires_grad_();
  return parameters;
}

// A loss that differs from step to step; both tensors take part.
void Backward(const TensorMap& parameters, int step) {
  const torch::Tensor a = parameters.at("a"), b = parameters.at("b");
  ((a * (step + 1)).sin().sum() + (b * b * 3).sum() + a.mean() * b.sum()).backward();
}

TEST(AdamW, EqualsTorch) {
  TensorMap ours = SmallModel(1), theirs = SmallModel(1);
  AdamW optimizer(ours, {.learning_rate = 3e-2, .weight_decay = .1, .gradient_clip = 0});
  torch::optim::AdamW reference({theirs.at("a"), theirs.at("b")},
                                torch::optim::AdamWOptions(3e-2).weight_decay(.1));
  for (int step = 0; step < 50; ++step) {
    Backward(ours, step);
    Backward(theirs, step);
    EXPECT_TRUE(optimizer.Step().updated);
    reference.step();
    reference.zero_grad();
  }
  for (const auto& [name, tensor] : ours)
    EXPECT_TRUE(torch::allclose(tensor, theirs.at(name), 0, 1e-6)) << name;
}

TEST(AdamW, ClipsToTheNormAndReportsTheNormBefore) {
  TensorMap ours = SmallModel(2), theirs = SmallModel(2);
  AdamW optimizer(ours, {.learning_rate = 1e-2, .gradient_clip = .5});
  torch::optim::AdamW reference({theirs.at("a"), theirs.at("b")},
                                torch::optim::AdamWOptions(1e-2).weight_decay(0));
  for (int step = 0; step < 10; ++step) {
    Backward(ours, step);
    Backward(theirs, step);
    const double norm = torch::nn::utils::clip_grad_norm_({theirs.at("a"), theirs.at("b")}, .5);
    EXPECT_NEAR(optimizer.Step().gradient_norm, norm, 1e-4 * norm);
    reference.step();
    reference.zero_grad();
  }
  for (const auto& [name, tensor] : ours)
    EXPECT_TRUE(torch::allclose(tensor, theirs.at(name), 0, 1e-6)) << name;
}

TEST(AdamW, LeavesEverythingAloneWhenAGradientIsNotFinite) {
  TensorMap model = SmallModel(3);
  AdamW optimizer(model, {.learning_rate = 1e-2});
  Backward(model, 0);
  optimizer.Step();
  const TensorMap weights = CloneTensors(model);
  const TensorMap state = optimizer.State();
  for (double bad : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    Backward(model, 1);
    model.at("b").mutable_grad()[2] = bad;
    const OptimizerStep step = optimizer.Step();
    EXPECT_FALSE(step.finite);
    EXPECT_FALSE(step.updated);
    EXPECT_FALSE(model.at("a").grad().defined());
  }
  EXPECT_EQ(DigestOf(weights), DigestOf(CloneTensors(model)));
  EXPECT_TRUE(torch::equal(state.at("exp_avg/a"), optimizer.State().at("exp_avg/a")));
  EXPECT_EQ(optimizer.nonfinite_steps(), 2);
  EXPECT_EQ(optimizer.nonfinite_in_a_row(), 2);
  Backward(model, 2);
  EXPECT_TRUE(optimizer.Step().updated);
  EXPECT_EQ(optimizer.nonfinite_in_a_row(), 0);
  EXPECT_EQ(optimizer.steps(), 4);
}

TEST(AdamW, GoesOnBitForBitFromSavedState) {
  const AdamWOptions options{
      .learning_rate = 1e-2, .weight_decay = .01, .warmup_steps = 3, .total_steps = 20, .cosine_floor = .1};
  TensorMap whole = SmallModel(4);
  AdamW first(whole, options);
  for (int step = 0; step < 5; ++step) {
    Backward(whole, step);
    first.Step();
  }
  TensorMap copy = CloneTensors(whole);
  for (auto& [name, tensor] : copy) tensor.requires_grad_();
  AdamW second(copy, options);
  ASSERT_TRUE(second.Restore(first.State()).ok());
  for (int step = 5; step < 12; ++step) {
    Backward(whole, step);
    Backward(copy, step);
    EXPECT_EQ(first.Step().learning_rate, second.Step().learning_rate);
  }
  EXPECT_EQ(DigestOf(whole), DigestOf(copy));
  EXPECT_EQ(DigestOf(first.State()), DigestOf(second.State()));
}

TEST(AdamW, RefusesAStateThatDoesNotFit) {
  TensorMap model = SmallModel(5);
  AdamW optimizer(model, {});
  TensorMap state = optimizer.State();
  state.erase("exp_avg/b");
  EXPECT_EQ(optimizer.Restore(state).code(), absl::StatusCode::kDataLoss);
}

TEST(AdamW, AGroupWithoutGradientsIsLeftAlone) {
  TensorMap model = SmallModel(6);
  AdamW optimizer(model, {.weight_decay = .5});
  const std::string before = DigestOf(model);
  const OptimizerStep step = optimizer.Step();
  EXPECT_TRUE(step.finite);
  EXPECT_FALSE(step.updated);
  EXPECT_EQ(DigestOf(model), before);
}

TEST(StepTogether, OneBadGroupStopsAll) {
  TensorMap image = SmallModel(7), text = SmallModel(8);
  AdamW a(image, {}), b(text, {.learning_rate = 1e-3});
  const std::string before = DigestOf(image);
  Backward(image, 0);
  Backward(text, 0);
  text.at("a").mutable_grad()[0][0] = std::numeric_limits<float>::quiet_NaN();
  const std::vector<OptimizerStep> steps = StepTogether({&a, &b});
  EXPECT_FALSE(steps[0].finite);
  EXPECT_EQ(DigestOf(image), before);
  Backward(image, 0);
  EXPECT_TRUE(StepTogether({&a, &b})[0].updated);
  EXPECT_NE(DigestOf(image), before);
}

TEST(LearningRateAt, WarmsUpAndFallsToTheFloor) {
  const AdamWOptions options{.learning_rate = 1, .warmup_steps = 4, .total_steps = 14, .cosine_floor = .2};
  EXPECT_DOUBLE_EQ(LearningRateAt(options, 0), .25);
  EXPECT_DOUBLE_EQ(LearningRateAt(options, 3), 1);
  EXPECT_DOUBLE_EQ(LearningRateAt(options, 4), 1);
  EXPECT_NEAR(LearningRateAt(options, 9), .6, 1e-12);
  EXPECT_NEAR(LearningRateAt(options, 14), .2, 1e-12);
  EXPECT_NEAR(LearningRateAt(options, 99), .2, 1e-12);
  EXPECT_DOUBLE_EQ(LearningRateAt({.learning_rate = 1}, 99), 1);
}

}  // namespace
}  // namespace lvrpo
