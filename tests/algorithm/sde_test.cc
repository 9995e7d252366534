#include "algorithm/sde.h"

#include <cmath>
#include <numbers>

#include "algorithm/schedule.h"
#include "gtest/gtest.h"

namespace lvrpo {
namespace {

TEST(Timesteps, FollowTheShift) {
  const std::vector<float> expected = {1,        .975f, .947368f, .916667f, .882353f, .84375f, .8f, .75f,
                                       .692308f, .625f, .545455f, .45f,     .333333f, .1875f,  0};
  const std::vector<float> got = Timesteps(15, 3);
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], 1e-6) << i;
  EXPECT_EQ(Timesteps(2, 3), (std::vector<float>{1, 0}));
  EXPECT_EQ(Timesteps(5, 1), (std::vector<float>{1, .75f, .5f, .25f, 0}));
}

TEST(ScheduleDigest, DiffersWithTheGrid) {
  EXPECT_EQ(ScheduleDigest(Timesteps(10, 2)), ScheduleDigest(Timesteps(10, 2)));
  EXPECT_NE(ScheduleDigest(Timesteps(10, 2)), ScheduleDigest(Timesteps(11, 2)));
  EXPECT_NE(ScheduleDigest(Timesteps(10, 2)), ScheduleDigest(Timesteps(10, 3)));
}

TEST(DrawWindow, IsUniformOverEveryBegin) {
  std::vector<int> counts(6, 0);
  for (uint32_t group = 0; group < 3000; ++group) {
    const Window window = DrawWindow(7, group, 3, 1, 7);
    ASSERT_EQ(window.size, 3);
    ASSERT_GE(window.begin, 1);
    ASSERT_LE(window.end(), 7);
    ++counts[window.begin];
  }
  EXPECT_EQ(counts[0], 0);
  for (int begin = 1; begin <= 4; ++begin) EXPECT_NEAR(counts[begin], 750, 120) << begin;
  EXPECT_EQ(DrawWindow(7, 5, 3, 1, 7), DrawWindow(7, 5, 3, 1, 7));
  EXPECT_EQ(DrawWindow(7, 5, 3, 2, 5), (Window{.begin = 2, .size = 3}));
}

TEST(SlidingWindow, MovesWithTheStepsAndBeginsAgain) {
  const auto begin = [](int64_t steps) { return SlidingWindow(steps, 25, 4, 1, 7).begin; };
  EXPECT_EQ(SlidingWindow(0, 25, 4, 1, 7), (Window{.begin = 1, .size = 4}));
  EXPECT_EQ(begin(24), 1);
  EXPECT_EQ(begin(25), 2);
  EXPECT_EQ(begin(74), 3);
  EXPECT_EQ(begin(75), 1);
  EXPECT_EQ(begin(INT64_MAX) >= 1 && begin(INT64_MAX) <= 3, true);
  EXPECT_EQ(begin(INT64_MIN), 1);
}

struct Golden {
  const char* what;
  SdeKernel kernel;
  double noise_level;
  int index;
  double mean, sigma, std;  // sigma 0: not listed
};

// Worked in double from the definitions for n = 15, shift 3, x = 0.5, v = -0.3; the schedule is fp32.
TEST(SdeStep, GivesTheWorkedValues) {
  const Golden cases[] = {
      {"flow .7 at t=1", SdeKernel::kFlowSde, .7, 0, .385000, 4.427189, .700000},
      {"flow .7", SdeKernel::kFlowSde, .7, 1, .374926, 4.371499, .726663},
      {"flow .7", SdeKernel::kFlowSde, .7, 2, .440009, 2.969848, .520374},
      {"flow .7", SdeKernel::kFlowSde, .7, 6, .488050, 1.400000, .313050},
      {"flow .7", SdeKernel::kFlowSde, .7, 12, .527672, .494975, .189022},
      {"flow 1.3 at t=1", SdeKernel::kFlowSde, 1.3, 0, .085000, 8.221922, 1.300000},
      {"flow 1.3", SdeKernel::kFlowSde, 1.3, 1, .048320, 8.118497, 1.349517},
      {"flow 1.3", SdeKernel::kFlowSde, 1.3, 12, .488297, .919239, .351040},
      {"cps", SdeKernel::kCps, .8, 0, .170646, 0, .927280},
      {"cps", SdeKernel::kCps, .8, 1, .185891, 0, .901001},
      {"cps", SdeKernel::kCps, .8, 12, .504882, 0, .178323},
      {"dance", SdeKernel::kDance, .3, 2, .508504, .3, .052566},
      {"ode", SdeKernel::kDance, 0, 2, .509211, 0, 0},
  };
  const std::vector<float> t = Timesteps(15, 3);
  const torch::Tensor x = torch::full({1, 1}, .5f), v = torch::full({1, 1}, -.3f);
  for (const Golden& golden : cases) {
    SCOPED_TRACE(std::string(golden.what) + " step " + std::to_string(golden.index));
    const SdeStep step =
        MakeSdeStep(golden.kernel, golden.noise_level, t[golden.index], t[golden.index + 1], t[1]);
    EXPECT_NEAR(SdeMean(step, x, v).item<double>(), golden.mean, 5e-6);
    if (golden.sigma != 0) {
      EXPECT_NEAR(step.sigma, golden.sigma, 3e-5);
    }
    EXPECT_NEAR(step.std, golden.std, 5e-6);
  }
}

TEST(SdeStep, WithoutNoiseIsTheOdeStepInEveryKernel) {
  const torch::Tensor x = torch::randn({2, 3, 4}), v = torch::randn({2, 3, 4});
  for (SdeKernel kernel : {SdeKernel::kFlowSde, SdeKernel::kDance, SdeKernel::kCps}) {
    const SdeStep step = MakeSdeStep(kernel, 0, 0.8, 0.7, 0.97);
    EXPECT_EQ(step.std, 0);
    EXPECT_TRUE(torch::equal(SdeMean(step, x, v), SdeMean(MakeOdeStep(0.8, 0.7), x, v)));
    EXPECT_TRUE(torch::allclose(SdeMean(step, x, v), x - 0.1 * v));
    // The limit of small noise is the same step.
    EXPECT_TRUE(
        torch::allclose(SdeMean(MakeSdeStep(kernel, 1e-4, 0.8, 0.7, 0.97), x, v), x - 0.1 * v, 1e-5, 1e-6));
  }
}

// Gaussian data N(0, s^2): the exact velocity is known, and one small SDE step must keep the marginal
// variance.
TEST(SdeStep, KeepsTheMarginalsOfTheFlow) {
  const double s2 = 0.25;
  const auto marginal = [&](double t) { return (1 - t) * (1 - t) * s2 + t * t; };
  for (SdeKernel kernel : {SdeKernel::kFlowSde, SdeKernel::kDance, SdeKernel::kCps}) {
    for (double t : {0.9, 0.6, 0.3}) {
      const double t_next = t - 1e-3;
      const double slope = (t - (1 - t) * s2) / marginal(t);  // E[noise - data | x] = slope x
      const SdeStep step = MakeSdeStep(kernel, kernel == SdeKernel::kCps ? .01 : .5, t, t_next, 0.97);
      const double gain = step.x_coefficient + step.v_coefficient * slope;
      EXPECT_NEAR(gain * gain * marginal(t) + step.std * step.std, marginal(t_next), 2e-5) << t;
    }
  }
}

TEST(SdeLogProb, IsTheMeanGaussianLogDensity) {
  const SdeStep step = MakeSdeStep(SdeKernel::kFlowSde, .7, .8, .75, .975);
  const torch::Tensor mean = torch::randn({2, 5, 3}), x_next = mean + step.std * torch::randn({2, 5, 3});
  const torch::Tensor z = (x_next.to(torch::kFloat64) - mean.to(torch::kFloat64)) / step.std;
  const torch::Tensor expected =
      (-z.square() / 2 - std::log(step.std) - std::log(2 * std::numbers::pi) / 2).flatten(1).mean(1);
  EXPECT_TRUE(torch::allclose(SdeLogProb(step, x_next, mean), expected));
  const torch::Tensor shift = SdeLogProb(step, x_next, mean) - SdeLogProb(step, x_next, mean, false);
  EXPECT_NEAR(shift[0].item<double>(), shift[1].item<double>(), 1e-12);
}

TEST(SdeLogProb, OfCpsHasNoScaleAndIsDefinedAtTheLastStep) {
  const SdeStep last = MakeSdeStep(SdeKernel::kCps, .8, .1875, 0, .975);
  EXPECT_EQ(last.std, 0);
  const torch::Tensor mean = torch::zeros({1, 4});
  EXPECT_NEAR(SdeLogProb(last, torch::full({1, 4}, .5f), mean).item<double>(), -.25, 1e-9);
}

TEST(SdeLogProb, SendsItsGradientThroughTheMeanOnly) {
  const SdeStep step = MakeSdeStep(SdeKernel::kFlowSde, .7, .8, .75, .975);
  torch::Tensor x_next = torch::randn({2, 4}).requires_grad_(), mean = torch::randn({2, 4}).requires_grad_();
  SdeLogProb(step, x_next, mean).sum().backward();
  EXPECT_FALSE(x_next.grad().defined());
  EXPECT_TRUE(torch::allclose(mean.grad(), (x_next - mean).detach() / (step.std * step.std * 4), 1e-5, 1e-6));
}

}  // namespace
}  // namespace lvrpo
