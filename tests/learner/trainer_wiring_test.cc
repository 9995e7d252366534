// What GrpoTrainer makes of a run's settings, and what it normalises by.

#include <functional>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "learner/trainer.h"
#include "tests/learner/tiny_run.h"
#include "weight_plane/weight_buckets.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;

std::unique_ptr<GrpoTrainer> MakeTrainer(const v1::RunConfig& config) {
  return *GrpoTrainer::Create(config, TinyModel());
}

using Figures = std::map<std::string, double>;

Figures Train(GrpoTrainer& trainer, const std::vector<TrainingGroup>& groups, int64_t version = 0) {
  const auto step = trainer.Step(groups, version);
  EXPECT_TRUE(step.ok()) << step.status();
  if (!step.ok()) return {};
  EXPECT_TRUE(step->unusable.empty());
  return step->metrics;
}

// The loss is the mean over the terms of all groups, so a group that comes twice changes nothing.
TEST(GrpoTrainer, NormalisesByTheStepAndNotByTheGroup) {
  const v1::RunConfig config = TinyRun();
  for (const bool texts : {false, true}) {
    const auto norm = [&](int copies) {
      const auto trainer = MakeTrainer(config);
      const TrainingGroup group =
          texts ? TrainTexts(trainer->policy(), config, 1) : TrainImages(trainer->policy(), config, 0);
      return Train(*trainer, std::vector<TrainingGroup>(static_cast<size_t>(copies), group))
          .at(texts ? "text_gradient_norm" : "image_gradient_norm");
    };
    EXPECT_GT(norm(1), 0);
    EXPECT_NEAR(norm(3) / norm(1), 1, 1e-5) << texts;
  }
}

// The KL is measured against the frozen reference: nothing at the start, something once the weights differ.
TEST(GrpoTrainer, MeasuresKlAgainstTheReference) {
  const v1::RunConfig config = TinyRun();
  const auto trainer = MakeTrainer(config);
  for (int64_t step = 0; step < 2; ++step) {
    const Bagel& policy = trainer->policy();
    const Figures figures = Train(
        *trainer, {TrainImages(policy, config, 2 * step), TrainTexts(policy, config, 2 * step + 1)}, step);
    for (const char* kl : {"image_kl", "text_kl"}) {
      if (step == 0) {
        EXPECT_NEAR(figures.at(kl), 0, 1e-9) << kl;
      } else {
        EXPECT_GT(figures.at(kl), 1e-8) << kl;
      }
    }
  }
}

// Old log-probs are those before the first update: later updates have ratios, and are clipped.
TEST(GrpoTrainer, LaterUpdatesAreMeasuredFromTheFirst) {
  v1::RunConfig config = TinyRun();
  config.mutable_train()->set_updates_per_step(2);
  config.mutable_train()->set_image_clip(1e-9);
  config.mutable_train()->set_text_clip_low(1e-9);
  config.mutable_train()->set_text_clip_high(1e-9);
  for (const bool texts : {false, true}) {
    const auto trainer = MakeTrainer(config);
    const Figures figures = Train(*trainer, {texts ? TrainTexts(trainer->policy(), config, 1)
                                                   : TrainImages(trainer->policy(), config, 0)});
    EXPECT_EQ(figures.at("ratio_deviation_first_update"), 0);
    EXPECT_GT(figures.at("ratio_deviation_later_updates"), 1e-7);
    const std::string task = texts ? "text" : "image";
    EXPECT_GT(figures.at(task + "_clip_low") + figures.at(task + "_clip_high"), 0) << task;
  }
}

TEST(GrpoTrainer, EachTaskHasItsOwnOptimizerSettings) {
  v1::RunConfig config = TinyRun();
  config.mutable_train()->mutable_image()->set_learning_rate(2e-3);
  config.mutable_train()->mutable_text()->set_learning_rate(5e-4);
  const auto trainer = MakeTrainer(config);
  const Bagel& policy = trainer->policy();
  const Figures figures = Train(*trainer, {TrainTexts(policy, config, 1), TrainImages(policy, config, 0)});
  EXPECT_DOUBLE_EQ(figures.at("image_learning_rate"), 2e-3);
  EXPECT_DOUBLE_EQ(figures.at("text_learning_rate"), 5e-4);
}

void AddScore(TrainingGroup& group, const std::string& name, const std::function<float(int)>& score) {
  for (v1::SampleSummary& sample : group.samples) {
    v1::ComponentScore& own = *sample.add_scores();
    own.set_name(name);
    own.set_outcome(v1::ComponentScore::OK);
    own.set_score(score(sample.slot()));
  }
}

// gdpo normalises each component by itself and adds them up with the run's weights.
TEST(GrpoTrainer, GdpoTakesTheConfiguredWeightsOfComponents) {
  const auto trained = [](double knowledge_weight, bool knowledge) {
    v1::RunConfig config = TinyRun();
    config.mutable_train()->set_advantage_aggregation("gdpo");
    config.mutable_reward()->set_knowledge_weight(knowledge_weight);
    const auto trainer = MakeTrainer(config);
    TrainingGroup group = TrainImages(trainer->policy(), config, 0);
    if (knowledge) AddScore(group, "knowledge", [](int slot) { return slot < 2 ? 1.f : 0.f; });
    const Figures figures = Train(*trainer, {group});
    EXPECT_EQ(figures.contains("reward_knowledge"), knowledge);
    return PackWeights(trainer->trained(), 1).manifest.version().digest();
  };
  const std::string without = trained(0.2, false);
  EXPECT_EQ(trained(0, true), without);
  EXPECT_NE(trained(0.2, true), without);
  EXPECT_NE(trained(0.2, true), trained(2, true));
}

TEST(GrpoTrainer, TakesRewardsAndFiguresFromTheSummaries) {
  const v1::RunConfig config = TinyRun();
  const auto trainer = MakeTrainer(config);
  TrainingGroup group = TrainImages(trainer->policy(), config, 0);
  for (v1::SampleSummary& sample : group.samples) {
    sample.set_reward(sample.reward() * 3);
    v1::ComponentScore& logged = *sample.add_logged();
    logged.set_name("artefacts");
    logged.set_score(static_cast<float>(sample.slot()));
    logged.set_outcome(sample.slot() == 3 ? v1::ComponentScore::SCORER_FAILED : v1::ComponentScore::OK);
  }
  const Figures figures = Train(*trainer, {group});
  EXPECT_DOUBLE_EQ(figures.at("reward"), 1.5);
  EXPECT_DOUBLE_EQ(figures.at("reward_instruction"), 0.5);
  EXPECT_DOUBLE_EQ(figures.at("logged_artefacts"), 1);  // of slots 0, 1, 2
  group.samples.pop_back();
  EXPECT_THAT(std::string(trainer->Step({group}, 1).status().message()), HasSubstr("3 summaries"));
}

// What the step promises of groups of current weights is not asked of older ones.
TEST(GrpoTrainer, GroupsOfOlderWeightsAreMeasuredApart) {
  const v1::RunConfig config = TinyRun();
  const auto trainer = MakeTrainer(config);
  const TrainingGroup image = TrainImages(trainer->policy(), config, 0),
                      text = TrainTexts(trainer->policy(), config, 1);
  Train(*trainer, {image, text});
  const Figures figures = Train(*trainer, {image, text}, 1);  // sampled by version 0
  EXPECT_DOUBLE_EQ(figures.at("staleness"), 1);
  EXPECT_GT(figures.at("sampler_log_prob_difference"), 1e-7);
  EXPECT_EQ(figures.at("sampler_log_prob_difference_same_version"), 0);
  EXPECT_EQ(figures.at("text_log_prob_difference_same_version"), 0);
  EXPECT_EQ(figures.at("ratio_deviation_first_update"), 0);  // of our own log-probs
}

// Groups of different image sizes in one step: each is evaluated on its own grid.
TEST(GrpoTrainer, TrainsOnImagesOfMixedSizes) {
  const v1::RunConfig config = TinyRun();
  const auto trainer = MakeTrainer(config);
  const Bagel& policy = trainer->policy();
  const Figures figures = Train(
      *trainer, {TrainImages(policy, config, 0), TrainImages(policy, config, 2, {.height = 2, .width = 3}),
                 TrainTexts(policy, config, 1), TrainImages(policy, config, 3, {.height = 4, .width = 2})});
  EXPECT_EQ(figures.at("ratio_deviation_first_update"), 0);
  EXPECT_EQ(figures.at("sampler_log_prob_difference_same_version"), 0);
  EXPECT_GT(figures.at("image_gradient_norm"), 0);
}

}  // namespace
}  // namespace lvrpo
