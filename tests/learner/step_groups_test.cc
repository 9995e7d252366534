#include "learner/step/step_groups.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "learner/step/gradient_sum.h"
#include "tests/learner/tiny_run.h"

namespace lvrpo {
namespace {

// The tiny model with gradients in all of its tensors.
class StepGroupsTest : public ::testing::Test {
 protected:
  StepGroupsTest() : tensors_(CloneTensors(TinyModel().tensors())) {
    for (auto& [name, tensor] : tensors_) tensor.requires_grad_();
    policy_ = std::make_unique<Bagel>(*Bagel::Create(TinyRunConfig(), tensors_, "test"));
  }
  // Of the step's loss, in all tensors that have one.
  TensorMap Gradient(const std::vector<TrainingGroup>& groups) {
    const Policies models = {*policy_, *policy_};
    const StepRanks alone = StepRanks::Alone();
    GradientSum sum(tensors_, alone);
    StepGroups step(groups, models, settings_, 0, alone, sum);
    for (const absl::Status& status : step.prefilled()) EXPECT_TRUE(status.ok()) << status;
    StepSums sums;
    step.SetAdvantages(groups, {}, config_.reward(), /*steps=*/0, sums);
    step.Backward(/*mini_batch=*/0, /*first=*/true, sums);
    TensorMap gradient;
    for (auto& [name, tensor] : tensors_) {
      if (tensor.grad().defined()) gradient[name] = tensor.grad().clone();
      tensor.mutable_grad().reset();
    }
    return gradient;
  }
  // Expects that the step's gradient is the groups' own, weighted by their terms.
  void ExpectMean(const std::vector<TrainingGroup>& groups, const std::vector<double>& terms) {
    const TensorMap together = Gradient(groups);
    TensorMap mean;
    double all = 0;
    for (const double count : terms) all += count;
    for (size_t i = 0; i < groups.size(); ++i) {
      for (const auto& [name, own] : Gradient({groups[i]})) {
        const torch::Tensor part = own * (terms[i] / all);
        mean[name] = mean.contains(name) ? mean[name] + part : part;
      }
    }
    ASSERT_EQ(mean.size(), together.size());
    double largest = 0;
    for (const auto& [name, gradient] : together) {
      largest = std::max(largest, gradient.abs().max().item<double>());
      EXPECT_TRUE(torch::allclose(gradient, mean.at(name), 1e-3, 1e-6)) << name;
    }
    EXPECT_GT(largest, 1e-4);
  }

  const v1::RunConfig config_ = TinyRun();
  const ObjectiveSettings settings_ = *ObjectiveSettingsOf(config_);
  TensorMap tensors_;
  std::unique_ptr<Bagel> policy_;
};

TEST_F(StepGroupsTest, AStepsTextLossIsTheMeanOverAllTokens) {
  std::vector<TrainingGroup> groups = {TrainTexts(TinyModel(), config_, 0),
                                       TrainTexts(TinyModel(), config_, 1)};
  // Of very different lengths.
  auto& texts = std::get<TextGroup>(groups[0].trajectories.samples);
  for (size_t i = 0; i < texts.ids.size(); ++i) texts.ids[i].resize(1), texts.log_probs[i].resize(1);
  double tokens = 0;
  for (const auto& ids : std::get<TextGroup>(groups[1].trajectories.samples).ids)
    tokens += static_cast<double>(ids.size());
  ASSERT_GT(tokens, 4);
  ExpectMean(groups, {4, tokens});
}

TEST_F(StepGroupsTest, AStepsImageLossIsTheMeanOverAllWindowSteps) {
  ExpectMean({TrainImages(TinyModel(), config_, 0), TrainImages(TinyModel(), config_, 1),
              TrainImages(TinyModel(), config_, 2, {.height = 2, .width = 3})},
             {8, 8, 8});
}

TEST_F(StepGroupsTest, TheTasksAreNormalisedApart) {
  const TrainingGroup image = TrainImages(TinyModel(), config_, 0),
                      text = TrainTexts(TinyModel(), config_, 1);
  const TensorMap both = Gradient({text, image}), images = Gradient({image}), texts = Gradient({text});
  for (const auto& [name, gradient] : both) {
    torch::Tensor sum = torch::zeros_like(gradient);
    if (images.contains(name)) sum += images.at(name);
    if (texts.contains(name)) sum += texts.at(name);
    EXPECT_TRUE(torch::allclose(gradient, sum, 1e-3, 1e-6)) << name;
  }
}

TEST(TurnsOf, LetsEachRankTakeItsGroupsInTheirOrder) {
  using ::testing::ElementsAre;
  const std::optional<size_t> none;
  EXPECT_THAT(TurnsOf({1, 0, 1, 1}, 3),
              ElementsAre(ElementsAre(1, 0, none), ElementsAre(none, 2, none), ElementsAre(none, 3, none)));
  EXPECT_TRUE(TurnsOf({}, 2).empty());
}

}  // namespace
}  // namespace lvrpo
