#include "algorithm/text_loss.h"

#include <cmath>
#include <limits>

#include "gtest/gtest.h"

namespace lvrpo {
namespace {

const double kNaN = std::numeric_limits<double>::quiet_NaN();

struct Batch {
  torch::Tensor old, now, ref, mask, advantages;

  Batch() {
    torch::manual_seed(11);
    old = -torch::rand({3, 5}, torch::kFloat64) - .5;
    now = old + .2 * torch::randn({3, 5}, torch::kFloat64);
    ref = old + .2 * torch::randn({3, 5}, torch::kFloat64);
    mask = torch::tensor({{1., 1., 1., 1., 1.}, {1., 1., 0., 0., 0.}, {0., 0., 0., 0., 0.}}, torch::kFloat64);
    advantages = torch::tensor({1.5, -.8, 2.}, torch::kFloat64);
  }
  TextLossInput Input(const torch::Tensor& log_probs) const {
    return {log_probs, old, mask, advantages, ref, {}};
  }
};

double LossOf(const Batch& batch, const torch::Tensor& log_probs, const TextLossOptions& options) {
  return TextLoss(batch.Input(log_probs), options).loss.item<double>();
}

torch::Tensor GradientOf(const Batch& batch, const TextLossOptions& options) {
  torch::Tensor now = batch.now.clone().requires_grad_();
  TextLoss(batch.Input(now), options).loss.backward();
  return now.grad();
}

TEST(TextLoss, GradientMatchesFiniteDifferences) {
  const Batch batch;
  for (RatioLevel level : {RatioLevel::kToken, RatioLevel::kSequence}) {
    for (TextKlForm kl : {TextKlForm::kNone, TextKlForm::kK1, TextKlForm::kK2, TextKlForm::kK3}) {
      for (Aggregation aggregation : {Aggregation::kTokenMean, Aggregation::kSeqMeanTokenMean,
                                      Aggregation::kSeqMeanTokenSum, Aggregation::kSeqMeanTokenSumNorm}) {
        const TextLossOptions options{.level = level, .kl = kl, .beta = .3, .aggregation = aggregation};
        const torch::Tensor gradient = GradientOf(batch, options);
        const torch::Tensor direction = torch::randn({3, 5}, torch::kFloat64);
        const double h = 1e-6;
        const double slope = (LossOf(batch, batch.now + h * direction, options) -
                              LossOf(batch, batch.now - h * direction, options)) /
                             (2 * h);
        EXPECT_NEAR(slope, (gradient * direction).sum().item<double>(), 1e-7);
        EXPECT_EQ((gradient * (1 - batch.mask)).abs().max().item<double>(), 0);
      }
    }
  }
}

TEST(TextLoss, OnPolicyIsThePolicyGradient) {
  Batch batch;
  batch.now = batch.old.clone();
  const torch::Tensor expected = -batch.advantages.unsqueeze(1) * batch.mask / batch.mask.sum();
  EXPECT_TRUE(torch::allclose(GradientOf(batch, {}), expected));
}

TEST(TextLoss, ClipsEachSideByItsOwnRange) {
  struct Case {
    double ratio, advantage, loss;
  };
  const TextLossOptions options = {.eps_low = .2, .eps_high = .3, .dual_clip = 3};
  for (const Case& c : std::vector<Case>{{.7, 1, -.7},
                                         {.7, -1, .8},  // clipped at 1 - low
                                         {.85, -1, .85},
                                         {1.25, 1, -1.25},  // beyond 1 + low, within 1 + high
                                         {1.5, 1, -1.3},    // clipped at 1 + high
                                         {1.5, -1, 1.5},
                                         {4, -1, 3}}) {  // the dual clip
    SCOPED_TRACE(testing::Message() << c.ratio << " " << c.advantage);
    Batch batch;
    batch.mask = torch::zeros({3, 5}, torch::kFloat64);
    batch.mask[0][0] = 1;
    batch.advantages[0] = c.advantage;
    EXPECT_NEAR(LossOf(batch, batch.old + std::log(c.ratio), options), c.loss, 1e-12);
  }
}

TEST(TextLoss, KlEstimatorsHaveTheirWorkedValues) {
  Batch batch;
  batch.now = batch.old.clone();
  const auto kl = [&](TextKlForm form, double d) {
    Batch shifted = batch;
    shifted.ref = batch.old + d;
    return TextLoss(shifted.Input(shifted.now), {.kl = form}).kl[0][0].item<double>();
  };
  EXPECT_NEAR(kl(TextKlForm::kK1, .1), -.1, 1e-9);
  EXPECT_NEAR(kl(TextKlForm::kK2, .1), .005, 1e-9);
  EXPECT_NEAR(kl(TextKlForm::kK3, .1), .00517092, 1e-8);
  EXPECT_NEAR(kl(TextKlForm::kK1, -.5), .5, 1e-9);
  EXPECT_NEAR(kl(TextKlForm::kK2, -.5), .125, 1e-9);
  EXPECT_NEAR(kl(TextKlForm::kK3, -.5), .10653066, 1e-8);
  EXPECT_NEAR(kl(TextKlForm::kK3, 900), 10, 1e-9);  // clamped, not infinite
}

TEST(TextLoss, JunkUnderTheMaskDoesNotLeak) {
  Batch batch;
  const TextLossOptions options{.kl = TextKlForm::kK3, .beta = .1};
  const double clean = LossOf(batch, batch.now, options);
  const torch::Tensor inactive = batch.mask.eq(0);
  for (double junk : {kNaN, 1e30, -std::numeric_limits<double>::infinity()}) {
    Batch dirty = batch;
    dirty.now = batch.now.masked_fill(inactive, junk);
    dirty.old = batch.old.masked_fill(inactive, -junk);
    dirty.ref = batch.ref.masked_fill(inactive, junk);
    EXPECT_EQ(LossOf(dirty, dirty.now, options), clean);
    EXPECT_TRUE(GradientOf(dirty, options).isfinite().all().item<bool>());
  }
}

TEST(TextLoss, DualClipBoundsTheLossOfBadTokens) {
  Batch batch;
  batch.now = batch.old + 5;  // ratio 148
  batch.advantages.fill_(-1);
  EXPECT_NEAR(LossOf(batch, batch.now, {.dual_clip = 3}), 3, 1e-9);
  EXPECT_NEAR(LossOf(batch, batch.now, {.dual_clip = std::nullopt}), std::exp(5), 1e-6);
  EXPECT_NEAR(LossOf(batch, batch.now, {.dual_clip = std::nullopt, .delta = 2}), 2, 1e-9);
}

TEST(TextLoss, MicroBatchesAddUpToTheGlobalMean) {
  const Batch batch;
  for (Aggregation aggregation : {Aggregation::kTokenMean, Aggregation::kSeqMeanTokenMean,
                                  Aggregation::kSeqMeanTokenSum, Aggregation::kSeqMeanTokenSumNorm}) {
    TextLossOptions options{.aggregation = aggregation};
    const double whole = LossOf(batch, batch.now, options);
    options.global_tokens = 7;
    options.global_sequences = 3;
    double sum = 0;
    for (int64_t b = 0; b < 3; ++b) {
      const auto row = [&](const torch::Tensor& t) { return t.narrow(0, b, 1); };
      sum += TextLoss(
                 {row(batch.now), row(batch.old), row(batch.mask), row(batch.advantages), row(batch.ref), {}},
                 options)
                 .loss.item<double>();
    }
    EXPECT_NEAR(sum, whole, 1e-12);
  }
}

TEST(TextLoss, NothingActiveIsZeroAndNotNaN) {
  Batch batch;
  batch.mask.zero_();
  for (Aggregation aggregation : {Aggregation::kTokenMean, Aggregation::kSeqMeanTokenMean}) {
    EXPECT_EQ(LossOf(batch, batch.now, {.aggregation = aggregation}), 0);
  }
}

TEST(TextLoss, CorrectionWeightsScaleThePolicyTermOnly) {
  Batch batch;
  TextLossInput input = batch.Input(batch.now);
  input.is_weights = torch::zeros({3, 1});
  const TextLossTerms terms = TextLoss(input, {.kl = TextKlForm::kK2, .beta = 1});
  EXPECT_TRUE(torch::allclose(terms.per_token_loss, terms.kl));
}

TEST(CorrectionWeights, TruncatesOrMasks) {
  const torch::Tensor old = torch::tensor({{0., 0., 0., 0.}}, torch::kFloat64);
  const torch::Tensor sampler = torch::tensor({{-1., 1., kNaN, kNaN}}, torch::kFloat64);
  const torch::Tensor mask = torch::tensor({{1., 1., 1., 0.}});
  const auto weights = [&](CorrectionMode mode, std::optional<double> low, std::optional<double> high) {
    return CorrectionWeights(old, sampler, mask, {mode, low, high}).flatten();
  };
  EXPECT_TRUE(torch::allclose(weights(CorrectionMode::kTokenTruncate, {}, 2.),
                              torch::tensor({2., std::exp(-1.), 1., 1.}, torch::kFloat64)));
  EXPECT_TRUE(torch::allclose(weights(CorrectionMode::kTokenMask, .5, 2.),
                              torch::tensor({0., 0., 1., 1.}, torch::kFloat64)));
  EXPECT_TRUE(
      torch::allclose(weights(CorrectionMode::kSequenceMask, {}, 3.), torch::ones({1}, torch::kFloat64)));
  EXPECT_TRUE(torch::allclose(weights(CorrectionMode::kSequenceTruncate, {}, .5),
                              torch::full({1}, .5, torch::kFloat64)));
}

}  // namespace
}  // namespace lvrpo
