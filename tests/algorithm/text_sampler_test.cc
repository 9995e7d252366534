#include "algorithm/text_sampler.h"

#include <cmath>
#include <map>

#include "gtest/gtest.h"

namespace lvrpo {
namespace {

constexpr int32_t kBos = 0, kEos = 1;

// The same logits after every token.
TextDecoder Constant(const std::vector<float>& logits) {
  return [logits](const torch::Tensor& ids) { return torch::tensor(logits).repeat({ids.size(0), 1}); };
}

TEST(SampleText, FollowsTheSoftmax) {
  const std::vector<float> logits = {0, 1, 2, 0.5f};
  const torch::Tensor p = torch::tensor(logits).softmax(0);
  const TextSamples samples = SampleText(Constant(logits), 4000, kBos, 1, 0, {.max_tokens = 1, .eos = kEos});
  std::vector<int> counts(4, 0);
  for (const auto& ids : samples.ids) ++counts[ids[0]];
  for (int i = 0; i < 4; ++i) EXPECT_NEAR(counts[i] / 4000., p[i].item<double>(), .025) << i;
  EXPECT_NEAR(samples.log_probs[0][0], std::log(p[samples.ids[0][0]].item<double>()), 1e-6);
}

TEST(SampleText, ASampleDependsOnNothingButItsPlace) {
  const TextDecoder decoder = Constant({0, -2, 1, 1, 1, 1});
  const TextSampleOptions options{.max_tokens = 12, .eos = kEos};
  const TextSamples eight = SampleText(decoder, 8, kBos, 5, 3, options);
  const TextSamples three = SampleText(decoder, 3, kBos, 5, 3, options);
  for (int slot = 0; slot < 3; ++slot) EXPECT_EQ(eight.ids[slot], three.ids[slot]);
  EXPECT_NE(eight.ids[0], eight.ids[1]);
  EXPECT_NE(SampleText(decoder, 3, kBos, 5, 4, options).ids, three.ids);
  EXPECT_NE(SampleText(decoder, 3, kBos, 6, 3, options).ids, three.ids);
}

TEST(SampleText, StopsAtEosOrAtTheLimit) {
  const TextSamples samples = SampleText(Constant({0, 0, 1}), 50, kBos, 1, 0, {.max_tokens = 6, .eos = kEos});
  bool ended = false, cut = false;
  for (size_t slot = 0; slot < samples.ids.size(); ++slot) {
    const auto& ids = samples.ids[slot];
    ASSERT_EQ(ids.size(), samples.log_probs[slot].size());
    ASSERT_LE(ids.size(), 6u);
    for (size_t i = 0; i + 1 < ids.size(); ++i) EXPECT_NE(ids[i], kEos);
    ended = ended || ids.back() == kEos;
    cut = cut || ids.back() != kEos;
    EXPECT_TRUE(ids.back() == kEos || ids.size() == 6u);
  }
  EXPECT_TRUE(ended && cut);
}

TEST(SampleText, GreedyTakesTheLikeliest) {
  // After token i the likeliest is i + 1; 4 leads to eos.
  const TextDecoder chain = [](const torch::Tensor& ids) {
    torch::Tensor logits = torch::zeros({ids.size(0), 5});
    for (int64_t b = 0; b < ids.size(0); ++b) {
      const int64_t id = ids[b].item<int64_t>();
      logits[b][id == 0 ? 2 : id == 4 ? 1 : id + 1] = 3;
    }
    return logits;
  };
  const TextSamples samples =
      SampleText(chain, 2, kBos, 1, 0, {.max_tokens = 9, .temperature = 0, .eos = kEos});
  EXPECT_EQ(samples.ids[0], (std::vector<int32_t>{2, 3, 4, 1}));
  EXPECT_EQ(samples.ids[0], samples.ids[1]);
  EXPECT_NEAR(samples.log_probs[0][0], 3 - std::log(4 + std::exp(3.)), 1e-5);
}

TEST(SampleText, TopKAndTopPLeaveTheTailOut) {
  const std::vector<float> logits = {0, 0, 2, 3, 2.5f, -1};
  const auto seen = [&](const TextSampleOptions& options) {
    std::map<int32_t, int> counts;
    for (const auto& ids : SampleText(Constant(logits), 500, kBos, 1, 0, options).ids) ++counts[ids[0]];
    return counts;
  };
  const auto top_k = seen({.max_tokens = 1, .top_k = 2, .eos = kEos});
  EXPECT_EQ(top_k.size(), 2u);
  EXPECT_TRUE(top_k.contains(3) && top_k.contains(4));
  const auto top_p = seen({.max_tokens = 1, .top_p = .5, .eos = kEos});  // .456 + .277
  EXPECT_EQ(top_p.size(), 2u);
  EXPECT_EQ(seen({.max_tokens = 1, .top_p = .01, .eos = kEos}).size(), 1u);
  EXPECT_EQ(seen({.max_tokens = 1, .eos = kEos}).size(), 6u);
}

TEST(SampleText, TemperatureSharpens) {
  const std::vector<float> logits = {0, 0, 1, 0};
  const TextSamples cold =
      SampleText(Constant(logits), 200, kBos, 1, 0, {.max_tokens = 1, .temperature = .05, .eos = kEos});
  for (const auto& ids : cold.ids) EXPECT_EQ(ids[0], 2);
  EXPECT_NEAR(cold.log_probs[0][0], 0, 1e-6);  // of softmax(logits / temperature)
}

}  // namespace
}  // namespace lvrpo
