#include "algorithm/image_loss.h"

#include <cmath>

#include "gtest/gtest.h"

namespace lvrpo {
namespace {

const SdeStep kStep = MakeSdeStep(SdeKernel::kFlowSde, .7, .8, .75, .975);

struct Batch {
  torch::Tensor x, v, noise, advantages;
  torch::Tensor x_next, log_prob, mean;  // sampled with v

  explicit Batch(int64_t size, double spread = 1) {
    torch::manual_seed(3);
    x = torch::randn({size, 6, 4});
    v = torch::randn({size, 6, 4});
    noise = torch::randn({size, 6, 4});
    advantages = spread * torch::randn({size});
    mean = SdeMean(kStep, x, v);
    x_next = SdeSample(kStep, mean, noise);
    log_prob = SdeLogProb(kStep, x_next, mean);
  }

  // Everything seen from velocity `now`; the old policy and the reference are the ones that sampled.
  ImageLossInput Input(const torch::Tensor& now) const {
    ImageLossInput input;
    input.step = kStep;
    input.x_next = x_next;
    input.velocity = now;
    input.mean = SdeMean(kStep, x, now);
    input.log_prob_old = log_prob;
    input.advantages = advantages;
    input.mean_old = input.mean_ref = mean;
    input.velocity_ref = v;
    return input;
  }
  ImageLossInput Slice(const torch::Tensor& now, int64_t from, int64_t count) const {
    ImageLossInput input = Input(now);
    for (torch::Tensor* t : {&input.x_next, &input.velocity, &input.mean, &input.log_prob_old,
                             &input.advantages, &input.mean_old, &input.mean_ref, &input.velocity_ref}) {
      *t = t->narrow(0, from, count);
    }
    return input;
  }
};

torch::Tensor GradientOf(const Batch& batch, torch::Tensor now, const ImageLossOptions& options) {
  now = now.detach().clone().requires_grad_();
  ImageLoss(batch.Input(now), options).loss.backward();
  return now.grad();
}

TEST(ImageLoss, OnPolicyHasRatioOneAndThePolicyGradient) {
  const Batch batch(4);
  torch::Tensor now = batch.v.clone().requires_grad_();
  const ImageLossTerms terms = ImageLoss(batch.Input(now), {});
  EXPECT_TRUE(terms.ratio_minus_1.eq(0).all().item<bool>());
  EXPECT_EQ(terms.clip_low_fraction + terms.clip_high_fraction, 0);
  terms.loss.backward();

  torch::Tensor again = batch.v.clone().requires_grad_();
  const torch::Tensor log_prob = SdeLogProb(kStep, batch.x_next, SdeMean(kStep, batch.x, again));
  (-batch.advantages * log_prob).mean().backward();
  EXPECT_TRUE(torch::allclose(now.grad(), again.grad(), 1e-5, 1e-9));
}

TEST(ImageLoss, ClipsOnTheSideThatTheAdvantageDrivesTo) {
  // The ratio of one sample by the old log-prob: below 1 - low, inside, above 1 + high.
  struct Case {
    double ratio, advantage, loss;
    bool gradient;
  };
  const ImageLossOptions options = {.clip_low = .1, .clip_high = .3};
  for (const Case& c : std::vector<Case>{{.8, 1, -.8, true},   // low and good: comes back
                                         {.8, -1, .9, false},  // low and bad: far enough
                                         {.95, 1, -.95, true},
                                         {.95, -1, .95, true},
                                         {1.2, 1, -1.2, true},  // within the larger upper side
                                         {1.2, -1, 1.2, true},
                                         {1.5, 1, -1.3, false},    // high and good: far enough
                                         {1.5, -1, 1.5, true}}) {  // high and bad: comes back
    SCOPED_TRACE(testing::Message() << c.ratio << " " << c.advantage);
    Batch batch(1);
    batch.advantages = torch::full({1}, c.advantage);
    batch.log_prob = batch.log_prob - std::log(c.ratio);
    torch::Tensor now = batch.v.clone().requires_grad_();
    const ImageLossTerms terms = ImageLoss(batch.Input(now), options);
    EXPECT_NEAR(terms.loss.item<double>(), c.loss, 1e-9);
    terms.loss.backward();
    EXPECT_EQ(now.grad().abs().max().item<double>() > 0, c.gradient);
    EXPECT_EQ(terms.clip_low_fraction, c.ratio < .9);
    EXPECT_EQ(terms.clip_high_fraction, c.ratio > 1.3);
  }
}

TEST(ImageLoss, GradientMatchesFiniteDifferencesInEveryForm) {
  const Batch batch(3);
  const torch::Tensor now = batch.v + 0.02 * torch::randn_like(batch.v);
  std::vector<ImageLossOptions> all(6);
  all[0] = {.clip_low = .5, .clip_high = .5};
  all[1] = {.clip_low = .5, .clip_high = .5, .kl_beta = .5, .kl_form = ImageKlForm::kVelocityMse};
  all[2] = {.clip_low = .5, .clip_high = .5, .kl_beta = .5, .kl_form = ImageKlForm::kExact};
  all[3] = {.clip_low = .5, .clip_high = .5, .kl_beta = .5, .kl_form = ImageKlForm::kFlowGrpo};
  all[4] = {.form = ImageLossForm::kGrpoGuard, .clip_low = .5, .clip_high = .5};
  all[5] = {.form = ImageLossForm::kFlowDppo, .dppo_threshold = 1};
  for (size_t i = 0; i < all.size(); ++i) {
    SCOPED_TRACE(i);
    const torch::Tensor gradient = GradientOf(batch, now, all[i]);
    const torch::Tensor direction = torch::randn_like(now);
    const double h = 1e-3;
    const double up = ImageLoss(batch.Input(now + h * direction), all[i]).loss.item<double>();
    const double down = ImageLoss(batch.Input(now - h * direction), all[i]).loss.item<double>();
    const double expected = (gradient * direction).sum().item<double>();
    EXPECT_NEAR((up - down) / (2 * h), expected, 2e-3 * std::abs(expected) + 1e-5);
  }
}

TEST(ImageLoss, ClippedTermsHaveNoGradient) {
  Batch batch(2);
  batch.advantages = torch::tensor({1.0f, -1.0f});
  // Towards the sample: the ratio rises in both.
  const torch::Tensor now = batch.v + (batch.x_next - batch.mean) * 0.05 / kStep.v_coefficient;
  const torch::Tensor gradient = GradientOf(batch, now, {});
  EXPECT_EQ(gradient[0].abs().max().item<double>(), 0);  // good and already likelier: clipped
  EXPECT_GT(gradient[1].abs().max().item<double>(), 0);  // bad and likelier: pushed back
  const ImageLossTerms terms = ImageLoss(batch.Input(now), {});
  EXPECT_EQ(terms.clip_high_fraction, 1);
  EXPECT_EQ(terms.clip_low_fraction, 0);
}

TEST(ImageLoss, DppoDropsOnlyWhatMovesOnAway) {
  Batch batch(2);
  batch.advantages = torch::tensor({1.0f, -1.0f});
  const torch::Tensor now = batch.v + (batch.x_next - batch.mean) * 0.05 / kStep.v_coefficient;
  const torch::Tensor gradient =
      GradientOf(batch, now, {.form = ImageLossForm::kFlowDppo, .dppo_threshold = 1e-9});
  EXPECT_EQ(gradient[0].abs().max().item<double>(), 0);
  EXPECT_GT(gradient[1].abs().max().item<double>(), 0);
  const torch::Tensor far = GradientOf(batch, now, {.form = ImageLossForm::kFlowDppo, .dppo_threshold = 1e9});
  EXPECT_GT(far[0].abs().max().item<double>(), 0);
}

TEST(ImageLoss, MicroBatchesAddUpToTheGlobalMean) {
  const Batch batch(6);
  const torch::Tensor now = batch.v + 0.01 * torch::randn_like(batch.v);
  const ImageLossOptions options{.clip_low = .1, .clip_high = .1, .kl_beta = .1};
  const double whole = ImageLoss(batch.Input(now), options).loss.item<double>();
  double sum = 0;
  for (const auto& [from, count] : {std::pair<int, int>{0, 1}, {1, 3}, {4, 2}}) {
    ImageLossInput part = batch.Slice(now, from, count);
    part.global_terms = 6;
    sum += ImageLoss(part, options).loss.item<double>();
  }
  EXPECT_NEAR(sum, whole, 1e-12);
}

TEST(ImageLoss, KlIsZeroAtTheReferenceAndLarger) {
  const Batch batch(3);
  for (ImageKlForm form : {ImageKlForm::kVelocityMse, ImageKlForm::kExact, ImageKlForm::kFlowGrpo}) {
    const ImageLossOptions options{.kl_beta = 1, .kl_form = form};
    EXPECT_EQ(ImageLoss(batch.Input(batch.v), options).kl.item<double>(), 0);
    EXPECT_GT(ImageLoss(batch.Input(batch.v + .1), options).kl.item<double>(), 0);
  }
  EXPECT_NEAR(ImageLoss(batch.Input(batch.v + .1), {.kl_beta = 1}).kl.item<double>(), .01, 1e-7);
}

TEST(ImageLoss, AdvantagesAreClamped) {
  Batch batch(1);
  batch.advantages = torch::tensor({100.0f});
  EXPECT_NEAR(ImageLoss(batch.Input(batch.v), {}).loss.item<double>(), -5, 1e-12);
  EXPECT_NEAR(ImageLoss(batch.Input(batch.v), {.form = ImageLossForm::kFlowDppo}).loss.item<double>(), -100,
              1e-9);
}

}  // namespace
}  // namespace lvrpo
