#include "algorithm/text_sampler.h"

#include <cmath>
#include <map>

#include "gtest/gtest.h"
#include "torch/torch.h"

namespace lvrpo {
namespace {

// How often each token is chosen by `samples` slots.
std::map<int32_t, int> Counts(const std::vector<float>& scores, int samples,
                              const TextSampleOptions& options) {
  std::map<int32_t, int> counts;
  for (int slot = 0; slot < samples; ++slot) {
    const PhiloxStream stream = {.seed = 1, .group = 0, .slot = static_cast<uint32_t>(slot), .step = 0};
    ++counts[ChooseToken(scores, stream, options)];
  }
  return counts;
}

TEST(ChooseToken, FollowsTheSoftmax) {
  const std::vector<float> scores = {0, 1, 2, .5f};
  const torch::Tensor p = torch::tensor(scores).softmax(0);
  std::map<int32_t, int> counts = Counts(scores, 4000, {});
  for (int id = 0; id < 4; ++id) EXPECT_NEAR(counts[id] / 4000., p[id].item<double>(), .025) << id;
}

// Most of the noise is never computed; the choice is that of all of it.
TEST(ChooseToken, IsTheLargestOfAllNoisyScores) {
  for (const float spread : {0.f, 1.f, 5.f, 40.f}) {
    for (uint32_t slot = 0; slot < 50; ++slot) {
      torch::manual_seed(slot);
      const torch::Tensor drawn = spread * torch::randn({300});
      const std::vector<float> scores(drawn.data_ptr<float>(), drawn.data_ptr<float>() + 300);
      const PhiloxStream stream = {.seed = 9, .group = 1, .slot = slot, .step = 2};
      const std::vector<uint32_t> words = PhiloxWords(stream, 300);
      int32_t best = 0;
      double largest = -INFINITY;
      for (int32_t id = 0; id < 300; ++id) {
        const double u = (static_cast<double>(words[static_cast<size_t>(id)]) + .5) / 4294967296.0;
        const double noisy = scores[static_cast<size_t>(id)] - std::log(-std::log(u));
        if (noisy > largest) best = id, largest = noisy;
      }
      EXPECT_EQ(ChooseToken(scores, stream, {.temperature = 1}), best) << spread << " " << slot;
    }
  }
}

TEST(ChooseToken, DependsOnItsPlaceAlone) {
  const std::vector<float> scores(50, 1.f);
  const PhiloxStream here = {.seed = 5, .group = 3, .slot = 2, .step = 7};
  const int32_t chosen = ChooseToken(scores, here, {});
  EXPECT_EQ(ChooseToken(scores, here, {}), chosen);
  // Leaving nothing out, in the other way of drawing words, changes nothing.
  EXPECT_EQ(ChooseToken(scores, here, {.top_k = 50}), chosen);
  int moved = 0;
  for (const PhiloxStream& there : {PhiloxStream{6, 3, 2, 7}, {5, 4, 2, 7}, {5, 3, 1, 7}, {5, 3, 2, 8}})
    moved += ChooseToken(scores, there, {}) != chosen;
  EXPECT_GE(moved, 3);  // each by chance again with probability 1/50
}

TEST(ChooseToken, GreedyTakesTheLikeliestAndTheFirstOfEquals) {
  EXPECT_EQ(ChooseToken(std::vector<float>{0, 3, 2, 3}, {}, {.temperature = 0}), 1);
}

TEST(ChooseToken, TopKAndTopPLeaveTheTailOut) {
  const std::vector<float> scores = {0, 0, 2, 3, 2.5f, -1};
  const auto seen = [&](const TextSampleOptions& options) { return Counts(scores, 500, options); };
  const auto top_k = seen({.top_k = 2});
  EXPECT_EQ(top_k.size(), 2u);
  EXPECT_TRUE(top_k.contains(3) && top_k.contains(4));
  const auto top_p = seen({.top_p = .5});  // .456 + .277
  EXPECT_EQ(top_p.size(), 2u);
  EXPECT_TRUE(top_p.contains(3) && top_p.contains(4));
  EXPECT_EQ(seen({.top_p = .01}).size(), 1u);
  EXPECT_EQ(seen({.top_k = 3, .top_p = .8}).size(), 2u);  // of the three: .506 + .307
  EXPECT_EQ(seen({}).size(), 6u);
  // Equal scores are taken by lower id.
  EXPECT_EQ(Counts({1, 1, 1}, 100, {.top_k = 1}), (std::map<int32_t, int>{{0, 100}}));
  EXPECT_EQ(Counts({1, 1, 1}, 100, {.top_p = .3}), (std::map<int32_t, int>{{0, 100}}));
}

}  // namespace
}  // namespace lvrpo
