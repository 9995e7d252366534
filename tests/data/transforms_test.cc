#include <cmath>
#include <limits>

#include "data/transforms/bagel_transform.h"
#include "data/transforms/siglip_transform.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/data/sample_images.h"

namespace lvrpo {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;

// Rows of the reference's own answers.
TEST(BagelSize, FollowsTheReferenceAlsoWhereItIsOdd) {
  const struct {
    ImageSize image;
    BagelImageRules rules;
    ImageSize expected;
  } cases[] = {
      {{512, 512}, kBagelAutoencoderRules, {512, 512}},
      {{640, 480}, kBagelAutoencoderRules, {688, 512}},     // the short side up to 512
      {{1920, 1080}, kBagelAutoencoderRules, {1024, 576}},  // the long side down to 1024
      {{777, 333}, kBagelAutoencoderRules, {1024, 432}},    // both cannot be: the long side wins
      {{1, 1}, kBagelAutoencoderRules, {512, 512}},
      {{1016, 1000}, kBagelAutoencoderRules, {1024, 992}},  // 63.5 and 62.5 strides: to the even one
      {{1000, 984}, kBagelAutoencoderRules, {992, 992}},
      {{20, 3000}, kBagelAutoencoderRules, {16, 1024}},  // never below one stride
      {{4000, 7}, kBagelAutoencoderRules, {1024, 16}},
      {{20, 3000}, kBagelVitRules, {14, 980}},
      {{4000, 7}, kBagelVitEvaluationRules, {980, 14}},
      {{20, 3000}, {518, 224, 14, 100000}, {14, 448}},  // the ratio of areas overshoots
  };
  for (const auto& test : cases) {
    const auto size = BagelSize(test.image, test.rules);
    ASSERT_TRUE(size.ok()) << size.status();
    EXPECT_EQ(*size, test.expected) << test.image.width << "x" << test.image.height << " gives "
                                    << size->width << "x" << size->height;
  }
}

TEST(BagelSize, HoldsItsRulesForEveryImage) {
  Random random(1);
  for (int i = 0; i < 20000; ++i) {
    const int most = i % 2 == 0 ? 3000 : 65535;
    const ImageSize image{1 + random.Below(most), 1 + random.Below(most)};
    for (const BagelImageRules& rules : {kBagelAutoencoderRules, kBagelVitRules, kBagelVitEvaluationRules}) {
      const auto size = BagelSize(image, rules);
      ASSERT_TRUE(size.ok());
      ASSERT_EQ(size->width % rules.stride, 0);
      ASSERT_EQ(size->height % rules.stride, 0);
      ASSERT_GE(std::min(size->width, size->height), rules.stride);
      ASSERT_LE(std::max(size->width, size->height), rules.max_side);
      ASSERT_LE(int64_t{size->width} * size->height, rules.max_pixels);
    }
  }
}

TEST(BagelSize, RefusesBadArguments) {
  for (const ImageSize image : {ImageSize{0, 5}, ImageSize{5, 65536}, ImageSize{-3, 3}}) {
    EXPECT_TRUE(absl::IsInvalidArgument(BagelSize(image, kBagelVitRules).status()));
  }
  for (const BagelImageRules& rules :
       {BagelImageRules{}, BagelImageRules{10, 10, 0, 10}, BagelImageRules{10, -1, 1, 10},
        BagelImageRules{10, 1, 1, int64_t{1} << 40}}) {
    EXPECT_TRUE(absl::IsInvalidArgument(BagelSize({5, 5}, rules).status()));
  }
}

TEST(BagelTransform, IsChannelsFirstInMinusOneToOne) {
  RgbImage image = FlatImage(16, 32, {0, 255, 51});
  const BagelImageRules rules{32, 16, 16, 1 << 20};
  const auto planes = TransformForBagel(image, rules);
  ASSERT_TRUE(planes.ok()) << planes.status();
  EXPECT_EQ(planes->width, 16);
  EXPECT_EQ(planes->height, 32);
  ASSERT_EQ(planes->values.size(), 3u * 16 * 32);
  EXPECT_EQ(planes->values[0], -1.0f);
  EXPECT_EQ(planes->values[16 * 32], 1.0f);
  EXPECT_EQ(planes->values[2 * 16 * 32], (51.0f / 255.0f - 0.5f) / 0.5f);
  EXPECT_EQ(ResizeForBagel(image, rules)->pixels, image.pixels);
}

TEST(SiglipTransform, RescalesInDoubleAndNormalisesInFloat) {
  SiglipTransform transform{.size = {3, 2}, .filter = ResizeFilter::kBicubic, .norm = {}};
  transform.norm = {{0.48145466f, 0.4578275f, 0.40821073f}, {0.26862954f, 0.26130258f, 0.27577711f}};
  for (int value = 0; value < 256; ++value) {
    const uint8_t byte = static_cast<uint8_t>(value);
    const auto planes = TransformForSiglip(FlatImage(5, 5, {byte, byte, byte}), transform);
    ASSERT_TRUE(planes.ok()) << planes.status();
    ASSERT_EQ(planes->values.size(), 3u * 2 * 3);
    for (size_t c = 0; c < 3; ++c) {
      const float scaled = static_cast<float>(value * (1.0 / 255));
      EXPECT_EQ(planes->values[c * 6], (scaled - transform.norm.mean[c]) / transform.norm.stddev[c]);
    }
  }
}

TEST(SiglipTransform, RefusesANormThatDividesByZero) {
  SiglipTransform transform{.size = {3, 2}, .filter = ResizeFilter::kBilinear, .norm = {}};
  transform.norm.stddev[1] = 0;
  EXPECT_THAT(std::string(TransformForSiglip(FlatImage(5, 5, {0, 0, 0}), transform).status().message()),
              HasSubstr("of channel 1"));
  transform.norm.stddev[1] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_FALSE(TransformForSiglip(FlatImage(5, 5, {0, 0, 0}), transform).ok());
}

TEST(NaflexSize, FollowsTheReference) {
  const struct {
    ImageSize image;
    int patch_size, max_patches;
    ImageSize expected;
  } cases[] = {
      {{1, 1}, 16, 256, {112, 112}},  // enlarged a hundred times at most
      {{5000, 1}, 16, 256, {4096, 16}},   {{1, 5000}, 14, 256, {14, 3584}}, {{640, 480}, 16, 256, {288, 224}},
      {{640, 480}, 16, 1024, {576, 432}}, {{5000, 1}, 16, 1, {16, 16}},
  };
  for (const auto& test : cases) {
    const auto size = NaflexSize(test.image, test.patch_size, test.max_patches);
    ASSERT_TRUE(size.ok()) << size.status();
    EXPECT_EQ(*size, test.expected) << size->width << "x" << size->height;
  }
}

TEST(NaflexSize, NeverHasTooManyPatches) {
  Random random(2);
  for (int i = 0; i < 20000; ++i) {
    const ImageSize image{1 + random.Below(65535), 1 + random.Below(i % 2 == 0 ? 500 : 65535)};
    const int patch_size = 1 + random.Below(32), max_patches = 1 + random.Below(2000);
    const auto size = NaflexSize(image, patch_size, max_patches);
    ASSERT_TRUE(size.ok());
    ASSERT_EQ(size->width % patch_size, 0);
    ASSERT_EQ(size->height % patch_size, 0);
    ASSERT_GE(std::min(size->width, size->height), patch_size);
    ASSERT_LE(int64_t{size->width / patch_size} * (size->height / patch_size), max_patches);
  }
}

TEST(NaflexTransform, CutsPatchesInReadingOrderAndPads) {
  // 4x2 pixels in patches of 2: already a size that fits two patches.
  RgbImage image{4, 2, {}};
  for (int i = 0; i < 24; ++i) image.pixels.push_back(static_cast<uint8_t>(i * 10));
  const auto patches =
      TransformForNaflex(image, {.patch_size = 2, .max_patches = 3, .filter = {}, .norm = {}});
  ASSERT_TRUE(patches.ok()) << patches.status();
  EXPECT_EQ(patches->rows, 1);
  EXPECT_EQ(patches->columns, 2);
  EXPECT_EQ(patches->mask, (std::vector<int32_t>{1, 1, 0}));
  const int bytes[] = {0,  10, 20, 30, 40,  50,  120, 130, 140, 150, 160, 170,  // left patch: two rows of two
                       60, 70, 80, 90, 100, 110, 180, 190, 200, 210, 220, 230};  // right patch
  ASSERT_EQ(patches->values.size(), 3u * 12);
  for (size_t i = 0; i < 24; ++i) {
    EXPECT_EQ(patches->values[i], (static_cast<float>(bytes[i] * (1.0 / 255)) - 0.5f) / 0.5f) << i;
  }
  EXPECT_THAT(std::vector<float>(patches->values.begin() + 24, patches->values.end()), Each(0.0f));
}

TEST(NaflexTransform, RefusesBadArguments) {
  const RgbImage image = FlatImage(4, 4, {1, 2, 3});
  for (const auto& [patch_size, max_patches] :
       {std::pair(0, 16), std::pair(1025, 16), std::pair(16, 0), std::pair(16, 65537), std::pair(-4, 4)}) {
    NaflexTransform transform;
    transform.patch_size = patch_size;
    transform.max_patches = max_patches;
    EXPECT_TRUE(absl::IsInvalidArgument(TransformForNaflex(image, transform).status()));
  }
  EXPECT_FALSE(TransformForNaflex(RgbImage{}, {}).ok());
  EXPECT_FALSE(TransformForNaflex(RgbImage{70000, 1, std::vector<uint8_t>(210000)}, {}).ok());
}

}  // namespace
}  // namespace lvrpo
