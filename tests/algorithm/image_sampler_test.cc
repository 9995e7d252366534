#include "algorithm/image_sampler.h"

#include <cmath>

#include "algorithm/advantages.h"
#include "algorithm/image_loss.h"
#include "algorithm/optimizer.h"
#include "gtest/gtest.h"
#include "tests/testing/tiny_models.h"

namespace lvrpo {
namespace {

// The exact velocity of data N(mean, std^2): E[noise - data | x_t = x].
torch::Tensor GaussianVelocity(const torch::Tensor& x, double t, double mean, double std) {
  const double variance = std * std;
  const double slope = (t - (1 - t) * variance) / ((1 - t) * (1 - t) * variance + t * t);
  return slope * (x - (1 - t) * mean) - mean;
}

ImageSampleOptions Options(int n, Window window, double noise_level = .7) {
  return {.timesteps = Timesteps(n, 2),
          .kernel = SdeKernel::kFlowSde,
          .noise_level = noise_level,
          .window = window};
}

const VelocityFunction kGaussian = [](const torch::Tensor& x, double t) {
  return GaussianVelocity(x, t, 2, .5);
};

TEST(SampleImages, StoresTheWindowAndItsLogProbs) {
  const ImageSampleOptions options = Options(10, {.begin = 1, .size = 3});
  const ImageSamples samples = SampleImages(kGaussian, 4, 6, 2, 1, 0, options);
  EXPECT_EQ(samples.final_latents.sizes(), torch::IntArrayRef({4, 6, 2}));
  EXPECT_EQ(samples.window_latents.sizes(), torch::IntArrayRef({4, 4, 6, 2}));
  EXPECT_EQ(samples.log_probs.sizes(), torch::IntArrayRef({4, 3}));
  EXPECT_TRUE(torch::equal(WindowLogProbs(kGaussian, samples.window_latents, options), samples.log_probs));
  // From the window's end on it is an ODE: the rest can be done again.
  const std::vector<float> rest(options.timesteps.begin() + 4, options.timesteps.end());
  EXPECT_TRUE(torch::equal(
      SampleLatents(kGaussian, samples.window_latents.select(1, 3).contiguous(), {.timesteps = rest})
          .final_latents,
      samples.final_latents));
}

TEST(SampleImages, IsAFunctionOfSeedGroupAndSlot) {
  const ImageSampleOptions options = Options(6, {.begin = 0, .size = 2});
  const ImageSamples four = SampleImages(kGaussian, 4, 3, 2, 1, 7, options);
  const ImageSamples two = SampleImages(kGaussian, 2, 3, 2, 1, 7, options);
  EXPECT_TRUE(torch::equal(four.final_latents.narrow(0, 0, 2), two.final_latents));
  EXPECT_FALSE(torch::equal(four.final_latents[0], four.final_latents[1]));
  EXPECT_FALSE(
      torch::equal(SampleImages(kGaussian, 2, 3, 2, 1, 8, options).final_latents, two.final_latents));
  EXPECT_FALSE(
      torch::equal(SampleImages(kGaussian, 2, 3, 2, 2, 7, options).final_latents, two.final_latents));
}

TEST(SampleImages, AntitheticPairsShareTheirStartAndMirrorTheirNoise) {
  ImageSampleOptions options = Options(6, {.begin = 0, .size = 2});
  const torch::Tensor plain = SampleImages(kGaussian, 6, 3, 2, 1, 7, options).window_latents;
  options.antithetic = true;
  const ImageSamples samples = SampleImages(kGaussian, 6, 3, 2, 1, 7, options);
  const torch::Tensor x = samples.window_latents.view({3, 2, 3, 3, 2});  // [pairs, 2, k + 1, N, D]
  EXPECT_TRUE(torch::equal(x.select(1, 0), plain.slice(0, 0, 6, 2)));    // the first of a pair is unchanged
  EXPECT_TRUE(torch::equal(x.select(1, 0).select(1, 0), x.select(1, 1).select(1, 0)));
  // kGaussian is linear: the mean of a pair is the step without noise, at both steps of the window.
  torch::Tensor middle = x.select(1, 0).select(1, 0);
  for (int k = 0; k < 2; ++k) {
    const SdeStep step = StepOf(options, k);
    middle = SdeMean(step, middle, kGaussian(middle, step.t));
    EXPECT_TRUE(torch::allclose(x.mean(1).select(1, k + 1), middle, 0, 1e-5));
    EXPECT_GT((x.select(1, 0) - x.select(1, 1)).select(1, k + 1).abs().mean().item<double>(), .1);
  }
  EXPECT_TRUE(torch::equal(WindowLogProbs(kGaussian, samples.window_latents, options), samples.log_probs));
}

TEST(SampleImages, SharedInitialNoiseIsThatOfTheFirstSlot) {
  ImageSampleOptions options = Options(6, {.begin = 0, .size = 2});
  const torch::Tensor plain = SampleImages(kGaussian, 4, 3, 2, 1, 7, options).window_latents;
  options.initial_noise = InitialNoise::kShared;
  for (const bool antithetic : {false, true}) {
    options.antithetic = antithetic;
    const torch::Tensor shared = SampleImages(kGaussian, 4, 3, 2, 1, 7, options).window_latents;
    EXPECT_TRUE(torch::equal(shared.select(1, 0), plain.select(1, 0).slice(0, 0, 1).expand({4, 3, 2})));
    EXPECT_FALSE(torch::equal(shared[0][1], shared[1][1]));  // the SDE noise is each one's own
    EXPECT_TRUE(torch::equal(shared[0], plain[0]));
  }
}

TEST(SampleImages, WithoutNoiseIsTheOde) {
  const ImageSamples quiet = SampleImages(kGaussian, 2, 3, 2, 1, 0, Options(8, {.begin = 0, .size = 4}, 0));
  const ImageSamples none = SampleImages(kGaussian, 2, 3, 2, 1, 0, Options(8, {.begin = 0, .size = 0}));
  EXPECT_TRUE(torch::equal(quiet.final_latents, none.final_latents));
  EXPECT_FALSE(none.window_latents.defined());
  const ImageSamples noisy = SampleImages(kGaussian, 2, 3, 2, 1, 0, Options(8, {.begin = 0, .size = 4}));
  EXPECT_FALSE(torch::equal(noisy.final_latents, none.final_latents));
}

TEST(SampleImages, ReachesTheData) {
  for (const auto& [kernel, noise_level] :
       {std::pair{SdeKernel::kFlowSde, .5}, {SdeKernel::kDance, .3}, {SdeKernel::kCps, .5}}) {
    ImageSampleOptions options = Options(60, {.begin = 5, .size = 40}, noise_level);
    options.kernel = kernel;
    const torch::Tensor x = SampleImages(kGaussian, 4, 500, 4, 3, 0, options).final_latents;
    EXPECT_NEAR(x.mean().item<double>(), 2, .03);
    EXPECT_NEAR(x.std().item<double>(), .5, .03);
  }
}

TEST(EvaluationNoise, DependsOnTheImageAloneAndNotOnTheBatch) {
  const torch::Tensor all = EvaluationNoise(1, 0, 5, 3, 2);
  EXPECT_TRUE(torch::equal(EvaluationNoise(1, 2, 2, 3, 2), all.narrow(0, 2, 2)));
  EXPECT_FALSE(torch::equal(all[0], all[1]));
}

// The property that the whole training rests on: worker and learner agree to the last bit.
TEST(Bagel, TheLearnerSeesExactlyTheSamplersLogProbs) {
  const Bagel model = TinyBagel();
  const ImageSampleOptions options = Options(8, {.begin = 0, .size = 3});
  for (double text_scale : {1.0, 2.0}) {
    SCOPED_TRACE(text_scale);
    GuidanceOptions guidance;
    guidance.text_scale = text_scale;
    const VelocityFunction velocity =
        BagelVelocity(model, model.PrefillPrompt({10, 11, 12}), {3, 2}, guidance);
    const ImageSamples samples = SampleImages(velocity, 4, 6, 4, 1, 0, options);
    EXPECT_TRUE(torch::equal(WindowLogProbs(velocity, samples.window_latents, options), samples.log_probs));
  }
}

TEST(Bagel, AWindowStepHasGradientsInTheGenerationExpert) {
  TensorMap tensors = TinyBagel().tensors();
  for (auto& [name, tensor] : tensors) {
    tensor = tensor.clone();
    if (MatchesPatterns(name, {"_moe_gen", "llm2vae", "vae2llm", "time_embedder"})) tensor.requires_grad_();
  }
  const Bagel model = *Bagel::Create(TinyConfig(), tensors, "test");
  KvCache cache;
  {
    torch::NoGradGuard no_grad;
    cache = model.PrefillPrompt({10, 11});
  }
  const ImageSampleOptions options = Options(8, {.begin = 1, .size = 2});
  const VelocityFunction velocity = BagelVelocity(model, cache, {3, 2});
  const ImageSamples samples = SampleImages(velocity, 3, 6, 4, 1, 0, options);
  EXPECT_FALSE(samples.log_probs.requires_grad());
  const WindowStep step = EvaluateWindowStep(velocity, samples.window_latents, 1, options);
  EXPECT_TRUE(torch::equal(step.log_prob, samples.log_probs.select(1, 1)));
  step.log_prob.sum().backward();
  EXPECT_GT(tensors.at("llm2vae.weight").grad().abs().max().item<double>(), 0);
  EXPECT_GT(tensors.at("language_model.model.layers.0.mlp_moe_gen.up_proj.weight")
                .grad()
                .abs()
                .max()
                .item<double>(),
            0);
}

// Equation 16 of the paper: the KL-regularised optimum is the reward-tilted velocity. With the memoryless
// noise level a = sqrt(2) this holds for the marginals too: data N(0, s^2) under the reward R(x) = x and KL
// weight beta becomes N(s^2 / beta, s^2). A shift of the velocity at every step, trained by the same
// surrogate and KL as images, must find it.
TEST(Equation16, TrainingFindsTheRewardTiltedVelocity) {
  constexpr double kStd = .5, kBeta = .25;
  constexpr double kTilt = kStd * kStd / kBeta;  // 1
  constexpr int64_t kBatch = 2048;
  ImageSampleOptions options{.timesteps = Timesteps(16, 1),
                             .kernel = SdeKernel::kFlowSde,
                             .noise_level = std::sqrt(2),
                             .window = {.begin = 0, .size = 15}};
  torch::manual_seed(1);
  torch::Tensor shift = torch::zeros({15}).requires_grad_();
  AdamW optimizer({{"shift", shift}},
                  {.learning_rate = .08, .total_steps = 120, .cosine_floor = .02, .gradient_clip = 0});
  const auto velocity = [&](const torch::Tensor& x, int i) {
    return GaussianVelocity(x, options.timesteps[i], 0, kStd) + shift[i];
  };
  double mean = 0;
  for (int iteration = 0; iteration < 120; ++iteration) {
    std::vector<torch::Tensor> latents = {torch::randn({kBatch, 1})};
    {
      torch::NoGradGuard no_grad;
      for (int i = 0; i < 15; ++i) {
        const torch::Tensor m = SdeMean(StepOf(options, i), latents[i], velocity(latents[i], i));
        latents.push_back(SdeSample(StepOf(options, i), m, torch::randn({kBatch, 1})));
      }
    }
    mean = latents.back().mean().item<double>();
    const torch::Tensor advantages =
        GroupAdvantages(latents.back().view({1, kBatch}), {}, {.scale = AdvantageScale::kNone}).advantages[0];
    for (int i = 0; i < 15; ++i) {
      ImageLossInput input;
      input.step = StepOf(options, i);
      input.x_next = latents[i + 1];
      input.velocity = velocity(latents[i], i);
      input.mean = SdeMean(input.step, latents[i], input.velocity);
      input.log_prob_old = SdeLogProb(input.step, input.x_next, input.mean);
      input.advantages = advantages;
      input.mean_ref =
          SdeMean(input.step, latents[i], GaussianVelocity(latents[i], options.timesteps[i], 0, kStd));
      ImageLoss(input, {.kl_beta = kBeta, .kl_form = ImageKlForm::kExact}).loss.backward();
    }
    ASSERT_TRUE(optimizer.Step().updated);
  }
  EXPECT_NEAR(mean, kTilt, .1);
  // Away from t = 1, where 15 steps are too coarse for the continuous formula.
  for (int i = 6; i <= 12; ++i) {
    const double t = options.timesteps[i];
    const torch::Tensor x = torch::zeros({1});
    const double tilted =
        (GaussianVelocity(x, t, kTilt, kStd) - GaussianVelocity(x, t, 0, kStd)).item<double>();
    EXPECT_NEAR(shift[i].item<double>(), tilted, .12 * std::abs(tilted) + .05) << "t = " << t;
  }
}

}  // namespace
}  // namespace lvrpo
