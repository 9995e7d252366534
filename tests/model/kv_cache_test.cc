#include "model/layers/kv_cache.h"

#include "gtest/gtest.h"
#include "tests/model/tiny_models.h"

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

TEST(KvCache, StackedContextsOfUnequalLengthGiveEachImageItsOwnVelocity) {
  torch::NoGradGuard no_grad;
  const Bagel model = TinyBagel();
  const std::vector<KvCache> caches = {model.PrefillPrompt({10}), model.PrefillPrompt({11, 12, 13, 14}),
                                       KvCache(), model.PrefillPrompt({})};
  const torch::Tensor together = model.Velocity(KvCache::Stack(caches), Noise(4), Times(4), 3, 2);
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
    const KvCache stacked = KvCache::Stack({own, model.PrefillPrompt(neighbour)});
    EXPECT_EQ(Positions(stacked), (std::vector<int64_t>{3, static_cast<int64_t>(neighbour.size()) + 2}));
    const torch::Tensor v = model.Velocity(stacked, Noise(1).expand({2, -1, -1}), Times(1).expand({2}), 3, 2);
    EXPECT_TRUE(Close(v.narrow(0, 0, 1), alone)) << neighbour.size();
  }
  // One position further would show.
  KvCache moved = own;
  moved.next_position = own.next_position + 1;
  EXPECT_FALSE(Close(model.Velocity(moved, Noise(1), Times(1), 3, 2), alone, 1e-3));
}

TEST(KvCache, TextAppendedAfterPaddingIsTextAppendedAlone) {
  torch::NoGradGuard no_grad;
  const Bagel model = TinyBagel();
  const std::vector<KvCache> caches = {model.PrefillPrompt({10}), model.PrefillPrompt({11, 12, 13, 14}),
                                       KvCache()};
  KvCache stacked = KvCache::Stack(caches);
  const torch::Tensor hidden = model.AppendTokens(stacked, Ids({20, 21, 22}));
  const torch::Tensor velocity = model.Velocity(stacked, Noise(3), Times(3), 3, 2);
  EXPECT_EQ(Positions(stacked), (std::vector<int64_t>{6, 9, 3}));
  for (int64_t i = 0; i < 3; ++i) {
    SCOPED_TRACE(i);
    KvCache alone = caches[static_cast<size_t>(i)];
    EXPECT_TRUE(Close(hidden.narrow(0, i, 1), model.AppendTokens(alone, Ids({20, 21, 22}))));
    EXPECT_TRUE(Close(velocity.narrow(0, i, 1),
                      model.Velocity(alone, Noise(3).narrow(0, i, 1), Times(3).narrow(0, i, 1), 3, 2)));
  }
}

TEST(KvCache, AStackOfEmptyContextsIsABatchOfThem) {
  torch::NoGradGuard no_grad;
  const Bagel model = TinyBagel();
  KvCache stacked = KvCache::Stack({KvCache(), KvCache(), KvCache()});
  EXPECT_EQ(stacked.batch(), 3);
  EXPECT_EQ(stacked.length(), 0);
  EXPECT_TRUE(Close(model.Velocity(stacked, Noise(3), Times(3), 3, 2),
                    model.Velocity(KvCache(), Noise(3), Times(3), 3, 2)));
  model.AppendPrompt(stacked, {10, 11});
  EXPECT_EQ(stacked.batch(), 3);
  EXPECT_EQ(Positions(stacked), (std::vector<int64_t>{4, 4, 4}));
  EXPECT_TRUE(Close(model.Velocity(stacked, Noise(3), Times(3), 3, 2),
                    model.Velocity(model.PrefillPrompt({10, 11}), Noise(3), Times(3), 3, 2)));
}

TEST(KvCache, SharedExpandedAndRepeatedContextsAreTheSame) {
  torch::NoGradGuard no_grad;
  const Bagel model = TinyBagel();
  const KvCache one = model.PrefillPrompt({10, 11, 12});
  const torch::Tensor shared = model.Velocity(one, Noise(4), Times(4), 3, 2);
  const KvCache expanded = one.Expand(4), repeated = one.Repeat(4);
  EXPECT_TRUE(torch::equal(model.Velocity(expanded, Noise(4), Times(4), 3, 2), shared));
  EXPECT_TRUE(torch::equal(model.Velocity(repeated, Noise(4), Times(4), 3, 2), shared));
  EXPECT_EQ(expanded.batch(), 4);
  EXPECT_EQ(expanded.keys[0].data_ptr(), one.keys[0].data_ptr());  // no copy
}

TEST(KvCache, RepeatKeepsTheRowsOfOneSampleTogether) {
  torch::NoGradGuard no_grad;
  const Bagel model = TinyBagel();
  const KvCache a = model.PrefillPrompt({10}), b = model.PrefillPrompt({11, 12, 13});
  EXPECT_TRUE(torch::equal(model.Velocity(KvCache::Stack({a, b}).Repeat(2), Noise(4), Times(4), 3, 2),
                           model.Velocity(KvCache::Stack({a, a, b, b}), Noise(4), Times(4), 3, 2)));
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
