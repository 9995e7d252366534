#include "algorithm/philox.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace lvrpo {
namespace {

using ::testing::ElementsAre;

// Random123's published known answers (kat_vectors, philox4x32 10).
TEST(Philox, GivesThePublishedKnownAnswers) {
  EXPECT_THAT(Philox4x32({0, 0, 0, 0}, {0, 0}), ElementsAre(0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8));
  const uint32_t ones = 0xffffffff;
  EXPECT_THAT(Philox4x32({ones, ones, ones, ones}, {ones, ones}),
              ElementsAre(0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd));
  EXPECT_THAT(Philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
              ElementsAre(0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1));
}

TEST(Philox, AWordIsTheSameAloneAndInAStream) {
  const PhiloxStream stream{.seed = 0x123456789abcdef0, .group = 7, .slot = 3, .step = 2};
  const std::vector<uint32_t> words = PhiloxWords(stream, 11);
  ASSERT_EQ(words.size(), 11u);
  for (uint32_t i = 0; i < words.size(); ++i) EXPECT_EQ(PhiloxWord(stream, i), words[i]);
}

TEST(PhiloxNormal, AShorterStreamIsThePrefixOfALongerOne) {
  const PhiloxStream stream{.seed = 42, .group = 1, .slot = 2, .step = 3};
  const torch::Tensor all = PhiloxNormal(stream, {4, 8});
  for (int64_t count : {1, 2, 5, 31}) {
    EXPECT_TRUE(torch::equal(PhiloxNormal(stream, {count}), all.flatten().narrow(0, 0, count))) << count;
  }
}

TEST(PhiloxNormal, IsStandardNormal) {
  const torch::Tensor noise = PhiloxNormal({.seed = 1}, {1 << 16}).to(torch::kFloat64);
  EXPECT_NEAR(noise.mean().item<double>(), 0, 0.015);
  EXPECT_NEAR(noise.std().item<double>(), 1, 0.01);
  EXPECT_NEAR(noise.abs().gt(1.959964).to(torch::kFloat64).mean().item<double>(), 0.05, 0.004);
}

TEST(PhiloxNormal, EveryPartOfTheCounterMatters) {
  const torch::Tensor base = PhiloxNormal({.seed = 1}, {16});
  for (const PhiloxStream& other :
       {PhiloxStream{.seed = 2}, PhiloxStream{.seed = 1ull << 32 | 1}, PhiloxStream{.seed = 1, .group = 1},
        PhiloxStream{.seed = 1, .slot = 1}, PhiloxStream{.seed = 1, .step = 1}}) {
    EXPECT_FALSE(torch::equal(base, PhiloxNormal(other, {16})));
  }
}

TEST(PhiloxNormal, SlotsAreStackedInOrder) {
  const torch::Tensor slots = PhiloxNormalSlots({.seed = 5, .group = 9}, 2, 3, {6});
  ASSERT_EQ(slots.sizes(), torch::IntArrayRef({3, 6}));
  EXPECT_TRUE(torch::equal(slots[1], PhiloxNormal({.seed = 5, .group = 9, .slot = 3}, {6})));
}

TEST(MixSeed, PurposesAreDifferentStreams) {
  EXPECT_NE(MixSeed(1, Purpose::kInitialNoise), MixSeed(1, Purpose::kSdeNoise));
  EXPECT_NE(MixSeed(1, Purpose::kText), MixSeed(2, Purpose::kText));
  EXPECT_EQ(MixSeed(1, Purpose::kText), MixSeed(1, Purpose::kText));
}

}  // namespace
}  // namespace lvrpo
