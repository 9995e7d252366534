// That each setting of the objective reaches the mathematics: golden values computed by hand from the
// formulas.

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "learner/step/step_advantages.h"
#include "tests/learner/tiny_run.h"
#include "weight_plane/weight_buckets.h"

namespace lvrpo {
namespace {

using Settings = std::vector<std::string>;

v1::RunConfig With(const v1::RunConfig& base, const Settings& settings) {
  v1::RunConfig config = base;
  std::vector<ConfigOverride> given;
  for (const std::string& setting : settings) given.push_back({.text = setting});
  const auto filled = FillConfig(
      "", "test", given, [] { return std::vector<std::string>(); }, config);
  EXPECT_TRUE(filled.ok()) << filled.status();
  return config;
}

ObjectiveSettings ObjectiveOf(const Settings& settings) {
  return *ObjectiveSettingsOf(With(DefaultRunConfig(), settings));
}

// Two answers, of three tokens and of one.
double TextLossOf(const Settings& settings, double sign = 1) {
  const torch::Tensor log_probs = torch::tensor({{-1., -2., -.5}, {-.7, 0., 0.}}, torch::kFloat64);
  TextLossInput input;
  input.log_probs = log_probs;
  input.old_log_probs = log_probs - torch::tensor({{.1, -.3, .4}, {1.5, 0., 0.}}, torch::kFloat64);
  input.ref_log_probs = log_probs + torch::tensor({{.2, -.1, .3}, {-.5, 0., 0.}}, torch::kFloat64);
  input.mask = torch::tensor({{1., 1., 1.}, {1., 0., 0.}}, torch::kFloat64);
  input.advantages = torch::tensor({sign, -sign}, torch::kFloat64);
  return TextLoss(input, ObjectiveOf(settings).text).loss.item<double>();
}

TEST(ObjectiveSettings, OfTextReachTheLoss) {
  const std::string no_kl = "train.text_kl_beta=0";
  const struct {
    Settings settings;
    double loss;
  } cases[] = {
      {{no_kl}, -0.031497285},
      {{no_kl, "train.text_clip_high=0.05"}, 0.039795445},
      {{no_kl, "train.text_ratio=sequence"}, -0.051704329},
      {{no_kl, "train.text_dual_clip=0"}, 0.338924983},
      {{no_kl, "train.text_dual_clip=4"}, 0.218502715},
      {{no_kl, "train.text_aggregation=seq_mean_token_mean"}, 0.979001810},
      {{no_kl, "train.text_aggregation=seq_mean_token_sum"}, -0.062994569},
      {{no_kl, "train.text_aggregation=seq_mean_token_sum_norm"}, -0.007874321},
      {{no_kl, "train.text_aggregation=seq_mean_token_sum_norm", "rollout.max_text_tokens=20"}, -0.003149728},
      {{"train.text_kl_beta=0.5", "train.text_kl_form=k1"}, -0.018997285},
      {{"train.text_kl_beta=0.5", "train.text_kl_form=k2"}, -0.007122285},
      {{"train.text_kl_beta=0.5", "train.text_kl_form=k3"}, -0.008668579}};
  for (const auto& c : cases) EXPECT_NEAR(TextLossOf(c.settings), c.loss, 1e-9) << c.settings.back();
  EXPECT_NEAR(TextLossOf({no_kl}, -1), 0.529248904, 1e-9);
  EXPECT_NEAR(TextLossOf({no_kl, "train.text_clip_low=0.1"}, -1), 0.554248904, 1e-9);
}

TEST(ObjectiveSettings, OfTheCorrectionReachItsWeights) {
  const torch::Tensor difference = torch::tensor({{.9, -.2, -1.2}, {.3, 0., 0.}}, torch::kFloat64),
                      mask = torch::tensor({{1., 1., 1.}, {1., 0., 0.}}, torch::kFloat64);
  const auto sum = [&](const Settings& settings) {
    const torch::Tensor weights =
        CorrectionWeights(difference, torch::zeros_like(difference), mask, ObjectiveOf(settings).correction);
    return (weights * (weights.size(1) == 1 ? torch::ones({2, 1}) : mask)).sum().item<double>();
  };
  const std::string mode = "train.text_correction.mode=", low = "train.text_correction.low=",
                    high = "train.text_correction.high=";
  EXPECT_NEAR(sum({}), 4.469783773, 1e-9);
  EXPECT_NEAR(sum({low + "0.5"}), 4.668589561, 1e-9);
  EXPECT_NEAR(sum({high + "1.5"}), 3.969783773, 1e-9);
  EXPECT_NEAR(sum({mode + "token_mask"}), 2.469783773, 1e-9);
  EXPECT_NEAR(sum({mode + "token_mask", low + "0.5", high + "3"}), 4.628192672, 1e-9);
  EXPECT_NEAR(sum({mode + "sequence_truncate", high + "1.2"}), 1.806530660, 1e-9);
  EXPECT_NEAR(sum({mode + "sequence_mask", low + "0.7", high + "1.2"}), 0, 1e-9);
  EXPECT_NEAR(sum({mode + "none"}), 4, 1e-9);
  EXPECT_FALSE(ObjectiveOf({}).correct_current);
  EXPECT_TRUE(ObjectiveOf({"train.text_correction.always=true"}).correct_current);
}

// One image of two numbers, at one step.
double ImageLossOf(const Settings& settings, double advantage = 1) {
  ImageLossInput input;
  input.step = MakeSdeStep(SdeKernel::kFlowSde, .7, .8, .75, .975);
  const torch::Tensor x = torch::tensor({{{.5f, -.2f}}}), old = torch::tensor({{{-.3f, .4f}}});
  input.mean_old = SdeMean(input.step, x, old);
  input.x_next = SdeSample(input.step, input.mean_old, torch::tensor({{{1.f, -.5f}}}));
  input.log_prob_old = SdeLogProb(input.step, input.x_next, input.mean_old);
  input.velocity = torch::tensor({{{-.32f, .45f}}});
  input.mean = SdeMean(input.step, x, input.velocity);
  input.velocity_ref = torch::tensor({{{-.25f, .1f}}});
  input.mean_ref = SdeMean(input.step, x, input.velocity_ref);
  input.advantages = torch::tensor({advantage}, torch::kFloat64);
  return ImageLoss(input, ObjectiveOf(settings).image).loss.item<double>();
}

TEST(ObjectiveSettings, OfImagesReachTheLoss) {
  const std::string form = "train.image_loss=", no_kl = "train.image_kl_beta=0",
                    kl = "train.image_kl_beta=0.5",
                    limit = "train.image_divergence_limit=", kl_form = "train.image_kl_form=";
  const struct {
    Settings settings;
    double good, bad;  // by the sign of the advantage
  } cases[] = {{{form + "ppo", no_kl}, -1.001, 1.004455361},
               {{form + "ppo", no_kl, "train.image_clip=2e-3"}, -1.002, 1.004455361},
               {{form + "ppo", no_kl, "train.image_clip_high=3e-3"}, -1.003, 1.004455361},
               {{form + "grpo_guard", no_kl}, -20.02, 20.028032127},
               {{form + "flow_dppo", no_kl}, 0, 1.004455361},
               {{form + "flow_dppo", no_kl, limit + "1"}, -1.004455361, 1.004455361},
               {{form + "ppo", kl, kl_form + "velocity_mse"}, -0.96915, 1.036305361},
               {{form + "ppo", kl, kl_form + "exact"}, -1.000370302, 1.005085058},
               {{form + "ppo", kl, kl_form + "flow_grpo"}, -1.000968515, 1.004486846}};
  for (const auto& c : cases) {
    EXPECT_NEAR(ImageLossOf(c.settings), c.good, 2e-5) << c.settings.back();
    EXPECT_NEAR(ImageLossOf(c.settings, -1), c.bad, 2e-5) << c.settings.back();
  }
  const ImageLossOptions both = ObjectiveOf({"train.image_clip=1e-4"}).image;
  EXPECT_EQ(both.clip_low, 1e-4);
  EXPECT_EQ(both.clip_high, 1e-4);
}

TrainingGroup RewardedBy(const std::vector<std::pair<float, float>>& grounding_and_instruction) {
  TrainingGroup group;
  for (const auto& [grounding, instruction] : grounding_and_instruction) {
    v1::SampleSummary& sample = group.samples.emplace_back();
    sample.set_reward((.3F * grounding + instruction) / 1.3F);
    for (const auto& [name, score] : {std::pair{"grounding", grounding}, {"instruction", instruction}}) {
      v1::ComponentScore& own = *sample.add_scores();
      own.set_name(name);
      own.set_score(score);
      own.set_outcome(v1::ComponentScore::OK);
    }
  }
  return group;
}

// Advantages of the first group's samples; the second group's rewards are all different.
std::vector<double> AdvantagesOf(const Settings& settings, int64_t steps = 0) {
  const v1::RunConfig config = With(DefaultRunConfig(), settings);
  const TrainingGroup first = RewardedBy({{1, 0}, {0, 1}}), second = RewardedBy({{0, 0}, {1, 1}});
  StepSums sums;
  const torch::Tensor advantages =
      StepAdvantages({&first, &second}, *AdvantageOptionsOf(config.train()), config.reward(), steps, sums)[0];
  return {advantages[0].item<double>(), advantages[1].item<double>()};
}

void ExpectAdvantages(const Settings& settings, double of_second, int64_t steps = 0) {
  const std::vector<double> got = AdvantagesOf(settings, steps);
  EXPECT_NEAR(got[0], -of_second, 1e-6) << settings.back();
  EXPECT_NEAR(got[1], of_second, 1e-6) << settings.back();
}

TEST(ObjectiveSettings, OfAdvantagesReachThem) {
  const double gap = .7 / 1.3, eps = 1e-4;  // of the first group's rewards
  ExpectAdvantages({"seed=1"}, gap / 2 / (gap / std::sqrt(2) + eps));
  ExpectAdvantages({"train.advantage_scale=none"}, gap / 2);
  // Of the rewards .3 / 1.3, 1 / 1.3, 0 and 1.
  ExpectAdvantages({"train.advantage_scale=batch"}, gap / 2 / (0.463670290 + eps));
  ExpectAdvantages({"train.advantage_eps=1"}, gap / 2 / (gap / std::sqrt(2) + 1));
  ExpectAdvantages({"train.advantage_clamp=0.1"}, .1);
}

// With the weights of its first and of its last point, of the middle between them, and beyond them.
TEST(ObjectiveSettings, OfTheScheduleReachTheAdvantages) {
  const Settings schedule = {
      "train.advantage_scale=none",
      "reward.schedule=[{component: instruction, step: 10, weight: 0}, {component: instruction, step: 30, "
      "weight: 2}]"};
  for (const auto& [steps, weight] : {std::pair{0, 0.}, {10, 0.}, {20, 1.}, {30, 2.}, {1000, 2.}})
    ExpectAdvantages(schedule, (weight - .3) / (weight + .3) / 2, steps);
  // gdpo takes them too: with no weight for the instructions only the grounding counts.
  Settings gdpo = schedule;
  gdpo[0] = "train.advantage_aggregation=gdpo";
  EXPECT_LT(AdvantagesOf(gdpo, 0)[1], -.5);
  EXPECT_GT(AdvantagesOf(gdpo, 30)[1], .5);
}

// Whether a step goes another way: two updates, with groups of the version before, whose rewards differ by
// component.
TEST(ObjectiveSettings, ReachTheStep) {
  const v1::RunConfig base = With(TinyRun(), {"train.updates_per_step=2", "train.image_loss=ppo"});
  std::vector<TrainingGroup> groups;
  for (int64_t i = 0; i < 4; ++i) {
    groups.push_back(i % 2 == 0 ? TrainImages(TinyModel(), base, i) : TrainTexts(TinyModel(), base, i));
    for (v1::SampleSummary& sample : groups.back().samples) {
      v1::ComponentScore& score = *sample.add_scores();
      score.set_name("grounding");
      score.set_score(sample.slot() == 1 ? 1 : 0);
      score.set_outcome(v1::ComponentScore::OK);
      sample.set_reward(sample.reward() + (i > 1 ? .1F * static_cast<float>(sample.slot()) : 0));
    }
    if (auto* texts = std::get_if<TextGroup>(&groups.back().trajectories.samples)) {
      texts->ids[0].resize(1), texts->log_probs[0].resize(1);
      for (auto& row : texts->log_probs) row[0] -= .8F;  // a sampler that is far off
    }
  }
  const auto digest = [&](const Settings& settings) {
    auto trainer = GrpoTrainer::Create(With(base, settings), TinyModel());
    EXPECT_TRUE(trainer.ok()) << trainer.status();
    const auto step = (*trainer)->Step(groups, /*step_version=*/1);
    EXPECT_TRUE(step.ok()) << step.status();
    return PackWeights((*trainer)->trained(), 1).manifest.version().digest();
  };
  const std::string plain = digest({});
  EXPECT_EQ(digest({"train.text_correction.always=true"}), plain);  // they are all of an older version
  for (const Settings& settings :
       std::vector<Settings>{{"train.image_loss=flow_dppo", "train.image_kl_beta=0"},
                             {"train.image_clip=1e-9", "train.image_clip_high=1"},
                             {"train.text_ratio=sequence", "train.text_clip_high=1e-9"},
                             {"train.text_kl_form=k1"},
                             {"train.text_aggregation=seq_mean_token_mean"},
                             {"train.text_aggregation=seq_mean_token_sum"},
                             {"train.text_correction.mode=none"},
                             {"train.text_correction.high=1.1"},
                             {"train.text_correction.mode=token_mask"},
                             {"train.text_correction.mode=sequence_truncate"},
                             {"train.advantage_scale=batch"},
                             {"train.advantage_scale=none"},
                             {"train.mini_batches=2"},
                             {"reward.schedule=[{component: grounding, step: 0, weight: 5}]"}})
    EXPECT_NE(digest(settings), plain) << settings[0];
  // Where the update before has made bad answers likelier: those of another mini-batch.
  const std::string parts = "train.mini_batches=2";
  EXPECT_NE(digest({parts, "train.text_dual_clip=1.0000001"}), digest({parts}));
}

// Groups of later mini-batches are measured from the weights before the first update, which sampled them.
TEST(MiniBatches, HaveOldLogProbsOfBeforeTheFirst) {
  for (const int parts : {1, 2, 3}) {
    v1::RunConfig config = TinyRun();
    config.mutable_train()->set_mini_batches(parts);
    auto trainer = GrpoTrainer::Create(config, TinyModel());
    const Bagel& policy = (*trainer)->policy();
    const auto step = (*trainer)->Step(
        {TrainImages(policy, config, 0), TrainTexts(policy, config, 1), TrainImages(policy, config, 2),
         TrainImages(policy, config, 3), TrainTexts(policy, config, 4)},
        0);
    ASSERT_TRUE(step.ok()) << step.status();
    EXPECT_TRUE(step->unusable.empty());
    EXPECT_EQ(step->metrics.at("sampler_log_prob_difference_same_version"), 0);
    EXPECT_LT(step->metrics.at("text_log_prob_difference_same_version"), 1e-5);
    EXPECT_EQ(step->metrics.at("ratio_deviation_first_update"), 0);
    EXPECT_EQ(step->metrics.contains("ratio_deviation_later_updates"), parts > 1);
    if (parts > 1) {
      EXPECT_GT(step->metrics.at("ratio_deviation_later_updates"), 1e-7);
    }
    EXPECT_EQ(step->metrics.at("unique_noise"), 1);  // of all groups
  }
}

// Two updates of one group each are what two steps of one group each are, with advantages by group.
TEST(MiniBatches, AreUpdatesOfTheirGroupsAlone) {
  v1::RunConfig config = With(TinyRun(), {"train.image_clip=10", "train.image_loss=ppo",
                                          "train.image.cosine_floor=1", "train.steps=9"});
  const TrainingGroup one = TrainImages(TinyModel(), config, 0), other = TrainImages(TinyModel(), config, 1);
  const auto trained = [&](int parts, const std::vector<std::vector<TrainingGroup>>& steps) {
    config.mutable_train()->set_mini_batches(parts);
    auto trainer = GrpoTrainer::Create(config, TinyModel());
    for (const std::vector<TrainingGroup>& groups : steps) EXPECT_TRUE((*trainer)->Step(groups, 0).ok());
    return CloneTensors((*trainer)->trained());
  };
  const TensorMap parts = trained(2, {{one, other}}), steps = trained(1, {{one}, {other}}),
                  whole = trained(1, {{one, other}});
  double from_steps = 0, from_whole = 0;
  for (const auto& [name, tensor] : parts) {
    from_steps += (tensor - steps.at(name)).square().sum().item<double>();
    from_whole += (tensor - whole.at(name)).square().sum().item<double>();
  }
  // The second ratio is measured from another policy: it is nearly 1 either way.
  EXPECT_LT(from_steps, .02 * from_whole);
}

}  // namespace
}  // namespace lvrpo
