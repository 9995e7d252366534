#include "model/layers/kv_cache.h"

#include "gtest/gtest.h"
#include "tests/testing/tiny_models.h"

namespace lvrpo {
namespace {

// Times of up to four images of 3 x 2 tokens, and their tokens.
const std::vector<float> kTimes = {.9f, .5f, .3f, 1.f};
torch::Tensor Times(int64_t images) { return torch::tensor(kTimes).narrow(0, 0, images); }
torch::Tensor Noise(int64_t images) {
  torch::manual_seed(11);
  return torch::randn({4, 6, 4}).narrow(0, 0, images);
}

std::vector<int64_t> Positions(const KvCache& cache) {
  const torch::Tensor& positions = cache.next_position;
  return {positions.data_ptr<int64_t>(), positions.data_ptr<int64_t>() + positions.numel()};
}

// Velocities of one image in each of the contexts, all in one forward.
torch::Tensor Together(const Bagel& model, const std::vector<KvCache>& caches) {
  const auto count = static_cast<int64_t>(caches.size());
  std::vector<Bagel::ContextRows> rows;
  for (const KvCache& cache : caches) rows.push_back({&cache, 1});
  return model.Velocity(rows, Noise(count), Times(count), 3, 2);
}

TEST(KvCache, ContextsOfUnequalLengthGiveEachImageItsOwnVelocity) {
  torch::NoGradGuard no_grad;
  const Bagel model = TinyBagel();
  const std::vector<KvCache> caches = {model.PrefillPrompt({10}), model.PrefillPrompt({11, 12, 13, 14}),
                                       KvCache(), model.PrefillPrompt({})};
  const torch::Tensor together = Together(model, caches);
  for (int64_t i = 0; i < 4; ++i) {
    SCOPED_TRACE(i);
    const torch::Tensor alone = model.Velocity(caches[static_cast<size_t>(i)], Noise(4).narrow(0, i, 1),
                                               Times(4).narrow(0, i, 1), 3, 2);
    EXPECT_TRUE(Close(together.narrow(0, i, 1), alone));
  }
}

TEST(KvCache, ALongerNeighbourNeverMovesAnImage) {
  torch::NoGradGuard no_grad;
  const Bagel model = TinyBagel();
  const KvCache own = model.PrefillPrompt({10});
  const torch::Tensor alone = model.Velocity(own, Noise(1), Times(1), 3, 2);
  for (const std::vector<int32_t>& neighbour :
       {std::vector<int32_t>{}, {11, 12}, {11, 12, 13, 14, 15, 16, 17, 18}}) {
    const torch::Tensor v = Together(model, {own, model.PrefillPrompt(neighbour)});
    EXPECT_TRUE(Close(v.narrow(0, 0, 1), alone)) << neighbour.size();
  }
  // One position further would show.
  KvCache moved = own;
  moved.next_position = own.next_position + 1;
  EXPECT_FALSE(Close(model.Velocity(moved, Noise(1), Times(1), 3, 2), alone, 1e-3));
}

TEST(KvCache, SharedAndRepeatedContextsAreTheSame) {
  torch::NoGradGuard no_grad;
  const Bagel model = TinyBagel();
  const KvCache one = model.PrefillPrompt({10, 11, 12});
  EXPECT_TRUE(torch::equal(model.Velocity(one.Repeat(4), Noise(4), Times(4), 3, 2),
                           model.Velocity(one, Noise(4), Times(4), 3, 2)));
}

TEST(KvCache, RepeatKeepsTheRowsOfOneSampleTogether) {
  torch::NoGradGuard no_grad;
  const Bagel model = TinyBagel();
  torch::manual_seed(12);
  const torch::Tensor pixels = torch::rand({2, 3, 8, 8}) * 2 - 1;  // contexts that differ, of one length
  const torch::Tensor repeated =
      model.Velocity(model.PrefillQuestion(pixels, {10}).Repeat(2), Noise(4), Times(4), 3, 2);
  for (int64_t i = 0; i < 4; ++i) {
    SCOPED_TRACE(i);
    const KvCache own = model.PrefillQuestion(pixels.narrow(0, i / 2, 1), {10});
    EXPECT_TRUE(Close(repeated.narrow(0, i, 1),
                      model.Velocity(own, Noise(4).narrow(0, i, 1), Times(4).narrow(0, i, 1), 3, 2)));
  }
}

TEST(KvCache, APrefillInChunksIsThePrefillInOne) {
  torch::NoGradGuard no_grad;
  const Bagel model = TinyBagel();
  const std::vector<int64_t> prompt = {1, 10, 11, 12, 13, 14, 15, 2};
  KvCache whole;
  const torch::Tensor hidden = model.AppendTokens(whole, Ids(prompt));
  for (const size_t piece : {1u, 3u, 7u}) {
    SCOPED_TRACE(piece);
    KvCache cache;
    std::vector<torch::Tensor> parts;
    for (size_t begin = 0; begin < prompt.size(); begin += piece) {
      const size_t end = std::min(prompt.size(), begin + piece);
      parts.push_back(model.AppendTokens(cache, Ids({prompt.begin() + static_cast<int64_t>(begin),
                                                     prompt.begin() + static_cast<int64_t>(end)})));
    }
    EXPECT_TRUE(Close(torch::cat(parts, 1), hidden));
    ASSERT_EQ(cache.keys.size(), whole.keys.size());
    for (size_t layer = 0; layer < whole.keys.size(); ++layer) {
      EXPECT_TRUE(Close(cache.keys[layer], whole.keys[layer]));
      EXPECT_TRUE(Close(cache.values[layer], whole.values[layer]));
    }
    EXPECT_EQ(Positions(cache), Positions(whole));
    EXPECT_TRUE(Close(model.Velocity(cache, Noise(2), Times(2), 3, 2),
                      model.Velocity(whole, Noise(2), Times(2), 3, 2)));
  }
}

TEST(KvCache, PrefillPromptSurroundsTheIdsWithBosAndEos) {
  torch::NoGradGuard no_grad;
  const Bagel model = TinyBagel();
  KvCache by_hand;
  model.AppendTokens(by_hand, Ids({1, 10, 11, 2}));
  const KvCache prompt = model.PrefillPrompt({10, 11});
  for (size_t layer = 0; layer < by_hand.keys.size(); ++layer) {
    EXPECT_TRUE(torch::equal(prompt.keys[layer], by_hand.keys[layer]));
    EXPECT_TRUE(torch::equal(prompt.values[layer], by_hand.values[layer]));
  }
}

TEST(KvCache, AnImageTakesOnePositionHoweverManyTokensItHas) {
  torch::NoGradGuard no_grad;
  const Bagel model = TinyBagel();
  KvCache cache;
  model.AppendImage(cache, torch::zeros({1, 3, 16, 24}));  // 2 x 3 patches between start and end
  EXPECT_EQ(cache.length(), 8);
  EXPECT_EQ(Positions(cache), std::vector<int64_t>{1});
  model.AppendLatents(cache, Noise(1), 3, 2);
  EXPECT_EQ(cache.length(), 16);
  EXPECT_EQ(Positions(cache), std::vector<int64_t>{2});
  model.AppendTokens(cache, Ids({10, 11}));
  EXPECT_EQ(cache.length(), 18);
  EXPECT_EQ(Positions(cache), std::vector<int64_t>{4});
}

TEST(KvCache, CopiesAndVelocitiesLeaveAContextAlone) {
  torch::NoGradGuard no_grad;
  const Bagel model = TinyBagel();
  const KvCache cache = model.PrefillPrompt({10, 11});
  const torch::Tensor key = cache.keys[1].clone();
  KvCache copy = cache;
  model.AppendTokens(copy, Ids({12, 13}));
  model.Velocity(cache, Noise(3), Times(3), 3, 2);
  EXPECT_EQ(cache.length(), 4);
  EXPECT_EQ(copy.length(), 6);
  EXPECT_EQ(Positions(cache), std::vector<int64_t>{4});
  EXPECT_TRUE(torch::equal(cache.keys[1], key));
}

}  // namespace
}  // namespace lvrpo
