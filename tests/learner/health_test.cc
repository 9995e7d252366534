#include "learner/step/health.h"

#include <functional>
#include <limits>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/learner/tiny_run.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;

TEST(Health, NamesThePartOfAParameterOrOfAShard) {
  const struct {
    const char *name, *part;
  } cases[] = {
      {"language_model.model.layers.3.self_attn.q_proj.weight", "und"},
      {"language_model.model.layers.3.self_attn.q_proj_moe_gen.weight", "gen"},
      {"language_model.model.layers.11.mlp_moe_gen.up_proj.weight.lora_A", "gen"},
      {"language_model.model.layers.0.mlp.experts.2.up_proj.weight", "pool"},
      {"language_model.model.layers.0.mlp.gate.weight", "pool"},
      {"language_model.model.norm_moe_gen.weight", "rest"},
      {"llm2vae.weight", "rest"},
      {"layers.3.gen.image", "gen"},
      {"layers.3.und.text.16", "und"},
      {"layers.12.pool.image", "pool"},
      {"rest.image", "rest"},
  };
  for (const auto& c : cases) EXPECT_EQ(PartOf(c.name), c.part) << c.name;
}

TEST(Health, EffectiveShareIsOneOverHowManyDecide) {
  const struct {
    std::vector<double> weights;
    double share;
  } cases[] = {
      {{1, 1, 1, 1}, 1}, {{3, 3}, 1}, {{1, 0, 0, 0}, 1. / 4}, {{1, 1, 0, 0}, 1. / 2}, {{2, 1}, 9. / 10},
      {{0, 0}, 1},       {{}, 1}};
  for (const auto& c : cases) {
    double sum = 0, squares = 0;
    for (const double w : c.weights) sum += w, squares += w * w;
    const double n = std::max<double>(1, static_cast<double>(c.weights.size()));
    EXPECT_DOUBLE_EQ(EffectiveShare(sum / n, squares / n), c.share);
  }
}

TEST(Health, NamesWhatIsNotFinite) {
  TensorMap tensors = {{"a", torch::ones({2})}, {"b", torch::ones({2})}, {"c", torch::ones({2})}};
  EXPECT_EQ(NameNonFinite(tensors), "");
  tensors["b"][1] = std::numeric_limits<float>::infinity();
  EXPECT_EQ(NameNonFinite(tensors), "b");
  tensors["c"][0] = NAN;
  EXPECT_EQ(NameNonFinite(tensors), "b and 1 more");
}

TEST(Health, FindsNoiseThatComesTwice) {
  torch::manual_seed(7);
  const torch::Tensor a = torch::randn({4, 64}), b = torch::randn({4, 64}), wide = torch::randn({4, 128});
  const auto copied = [](torch::Tensor to, int64_t slot, const torch::Tensor& noise) {
    to = to.clone();
    to[slot].copy_(noise);
    return to;
  };
  const struct {
    const char* what;
    std::vector<torch::Tensor> noise;
    int64_t samples, repeated;
  } cases[] = {
      {"no images", {}, 0, 0},
      {"all have their own", {a, b, wide}, 12, 0},
      {"two slots share it", {copied(a, 2, a[0])}, 4, 1},
      {"three do", {copied(copied(a, 2, a[0]), 3, a[0])}, 4, 2},
      {"it is scaled, and a little off", {copied(a, 2, 3 * a[0] + .3 * b[0]), b}, 8, 1},
      {"another group's", {a, copied(b, 3, a[1])}, 8, 1},
      {"all of another group's", {a, a}, 8, 4},
      {"an antithetic pair", {copied(a, 1, -a[0])}, 4, 0},
      {"numbers that are none", {copied(a, 1, a[0] * NAN)}, 4, 0},
  };
  for (const auto& c : cases) {
    const RepeatedNoise found = FindRepeatedNoise(c.noise);
    EXPECT_EQ(found.samples, c.samples) << c.what;
    EXPECT_EQ(found.repeated, c.repeated) << c.what;
    EXPECT_EQ(found.example.has_value(), c.repeated > 0) << c.what;
  }
  const RepeatedNoise::Pair pair = *FindRepeatedNoise({a, copied(b, 3, a[1])}).example;
  EXPECT_EQ(pair.group, 1u);
  EXPECT_EQ(pair.slot, 3);
  EXPECT_EQ(pair.other_group, 0u);
  EXPECT_EQ(pair.other_slot, 1);
}

using Figures = std::map<std::string, double>;

// The figures of a step of one image group and one text group, with a disease.
struct Patient {
  v1::RunConfig config = TinyRun();
  TrainingGroup image, text;
};
Figures FiguresOf(const std::function<void(v1::RunConfig&)>& configure,
                  const std::function<void(Patient&)>& infect) {
  Patient patient;
  configure(patient.config);
  const auto trainer = GrpoTrainer::Create(patient.config, TinyModel());
  patient.image = TrainImages((*trainer)->policy(), patient.config, 0);
  patient.text = TrainTexts((*trainer)->policy(), patient.config, 1);
  infect(patient);
  const auto step = (*trainer)->Step({patient.image, patient.text}, 0);
  EXPECT_TRUE(step.ok()) << step.status();
  EXPECT_TRUE(step->unusable.empty());
  return step->metrics;
}

ImageGroup& Images(Patient& patient) { return std::get<ImageGroup>(patient.image.trajectories.samples); }

TEST(Health, EachDiseaseIsSeenInItsFigure) {
  const auto as_it_is = [](v1::RunConfig&) {};
  const auto well = [](Patient&) {};
  const auto several_updates = [](v1::RunConfig& config) {
    config.mutable_train()->set_updates_per_step(2);
    config.mutable_train()->set_image_clip(1e-9);
  };
  const struct {
    const char* what;
    const char* figure;
    double healthy, least, most;  // least and most: with the disease
    std::function<void(v1::RunConfig&)> configure;
    std::function<void(Patient&)> infect;
  } cases[] = {
      {"the sampler's log-probs are another policy's", "sampler_log_prob_difference_same_version", 0, .99,
       1.01, as_it_is, [](Patient& p) { Images(p).log_probs[0][0] -= 1; }},
      {"texts too", "text_effective_samples", 1, .1, .9, as_it_is,
       [](Patient& p) { std::get<TextGroup>(p.text.trajectories.samples).log_probs[0][0] -= 3; }},
      {"one image weighs as e^3 others", "image_effective_samples", 1, .1, .3, as_it_is,
       [](Patient& p) { Images(p).log_probs[0][0] -= 3; }},
      {"one sample of a group decides alone", "advantage_effective_samples", 1, .7, .9, as_it_is,
       [](Patient& p) {
         for (TrainingGroup* group : {&p.image, &p.text}) {
           for (v1::SampleSummary& sample : group->samples) sample.set_reward(sample.slot() == 0 ? 1 : 0);
         }
       }},
      {"two slots have one noise", "unique_noise", 1, .75, .75, as_it_is,
       [](Patient& p) { Images(p).latents[2].copy_(Images(p).latents[0]); }},
  };
  for (const auto& c : cases) {
    EXPECT_NEAR(FiguresOf(c.configure, well).at(c.figure), c.healthy, 1e-3) << c.what;
    const double sick = FiguresOf(c.configure, c.infect).at(c.figure);
    EXPECT_GE(sick, c.least) << c.what;
    EXPECT_LE(sick, c.most) << c.what;
  }

  // Clipping, by the window's denoising steps and no others.
  const Figures clipped = FiguresOf(several_updates, well);
  const Window window =
      std::get<ImageGroup>(SampleImageGroup(TinyModel(), TinyRun(), 0).samples).options.window;
  for (int step = 0; step < TinyRun().rollout().timesteps(); ++step) {
    const auto figure = clipped.find("image_clip_step_" + std::to_string(step));
    ASSERT_EQ(figure != clipped.end(), window.Contains(step)) << step;
    if (figure == clipped.end()) continue;
    EXPECT_GT(figure->second, 0) << step;
  }
}

TEST(Health, GradientNormsOfPartsAddUpToTheWhole) {
  const Figures figures = FiguresOf([](v1::RunConfig&) {}, [](Patient&) {});
  for (const std::string task : {"image", "text"}) {
    double squares = 0;
    for (const char* part : {"und", "gen", "pool", "rest"}) {
      const auto norm = figures.find(task + "_gradient_norm_" + part);
      if (norm != figures.end()) squares += norm->second * norm->second;
    }
    EXPECT_NEAR(std::sqrt(squares) / figures.at(task + "_gradient_norm"), 1, 1e-9) << task;
  }
  EXPECT_GT(figures.at("image_gradient_norm_gen"), 0);
  EXPECT_GT(figures.at("text_gradient_norm_und"), 0);
  EXPECT_FALSE(figures.contains("text_gradient_norm_gen"));
}

TEST(Health, AnUpdateThatIsLeftOutSaysWhatWasNotFinite) {
  const v1::RunConfig config = TinyRun();
  const auto trainer = GrpoTrainer::Create(config, TinyModel());
  const TrainingGroup group = TrainImages((*trainer)->policy(), config, 0);
  TensorMap weights = CloneTensors((*trainer)->trained());
  weights.at("llm2vae.weight").fill_(3e38f);
  ASSERT_TRUE((*trainer)->RestoreWeights(weights).ok());
  const auto step = (*trainer)->Step({group}, 0);
  ASSERT_TRUE(step.ok()) << step.status();
  EXPECT_EQ(step->metrics.at("nonfinite"), 1);
  EXPECT_THAT((*trainer)->nonfinite_cause(), HasSubstr("gradients of language_model."));
  EXPECT_THAT((*trainer)->nonfinite_cause(), HasSubstr(" more"));
}

}  // namespace
}  // namespace lvrpo
