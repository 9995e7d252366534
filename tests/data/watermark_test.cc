#include "data/transforms/watermark.h"

#include "data/image/image_file.h"
#include "data/image/png.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/data/sample_images.h"
#include "tests/testing/encoded_images.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;

constexpr ImageSize kSizes[] = {{64, 64}, {32, 128}, {123, 301}, {256, 256}, {515, 509}};

RgbImage Changed(RgbImage image, double factor, int offset) {
  for (uint8_t& value : image.pixels) {
    value = static_cast<uint8_t>(std::clamp(std::lround(value * factor) + offset, 0L, 255L));
  }
  return image;
}

RgbImage Reencoded(const RgbImage& image, int quality) {
  return *DecodeImage(EncodeJpeg(image, {.quality = quality}));
}

uint32_t NumberIn(const RgbImage& image, const WatermarkOptions& options = {}) {
  const auto read = ReadWatermark(image, options);
  return read.has_value() ? read->number : 0;
}

TEST(Watermark, IsReadBackAndNotSeen) {
  for (const ImageSize size : kSizes) {
    for (const uint32_t number : {1u, 0xdeadbeefu, 0xffffffffu}) {
      const RgbImage image = NaturalImage(size.width, size.height, number);
      const auto marked = EmbedWatermark(image, number);
      ASSERT_TRUE(marked.ok()) << marked.status();
      EXPECT_GE(Psnr(image, *marked), 40) << size.width << "x" << size.height;
      const auto read = ReadWatermark(*DecodePng(*EncodePng(*marked)));
      ASSERT_TRUE(read.has_value()) << size.width << "x" << size.height;
      EXPECT_EQ(read->number, number);
      EXPECT_GT(read->certainty, 0.9);
    }
  }
}

TEST(Watermark, SurvivesEncodingAndSmallChanges) {
  for (const ImageSize size : kSizes) {
    const RgbImage marked = *EmbedWatermark(NaturalImage(size.width, size.height, 7), 123456789);
    for (const int quality : {95, 90, 85, 80, 75}) {
      EXPECT_EQ(NumberIn(Reencoded(marked, quality)), 123456789u)
          << size.width << "x" << size.height << ", quality " << quality;
    }
    EXPECT_EQ(NumberIn(Reencoded(Reencoded(marked, 90), 80)), 123456789u);
    EXPECT_EQ(NumberIn(Changed(marked, 1, 8)), 123456789u);
    EXPECT_EQ(NumberIn(Changed(marked, 1, -8)), 123456789u);
    EXPECT_EQ(NumberIn(Changed(marked, 1.04, 0)), 123456789u);
    EXPECT_EQ(NumberIn(Reencoded(Changed(marked, 0.97, 3), 85)), 123456789u);
    if (size.width * size.height < 256 * 256) continue;
    EXPECT_EQ(NumberIn(Reencoded(marked, 50)), 123456789u) << size.width << "x" << size.height;
    EXPECT_EQ(NumberIn(Reencoded(Changed(marked, 0.9, 0), 75)), 123456789u);
  }
}

// Black, white and gray leave little room: half the changes are clipped away, and JPEG drops what is faint.
TEST(Watermark, SurvivesOnFlatColours) {
  for (const uint8_t level : {0, 60, 128, 255}) {
    const RgbImage image = FlatImage(256, 256, {level, level, level});
    const RgbImage marked = *EmbedWatermark(image, 42);
    EXPECT_GE(Psnr(image, marked), 37) << int{level};
    EXPECT_EQ(NumberIn(marked), 42u) << int{level};
    EXPECT_EQ(NumberIn(Reencoded(marked, 75)), 42u) << int{level};
  }
}

TEST(Watermark, IsNotFoundInUnmarkedImages) {
  Random random(11);
  for (int i = 0; i < 3000; ++i) {
    RgbImage image{64 + random.Below(30), 64 + random.Below(30), {}};
    const int slope_x = random.Below(3), slope_y = random.Below(3), base = random.Below(100);
    const bool noise = i % 2 == 0;
    for (int y = 0; y < image.height; ++y) {
      for (int x = 0; x < image.width; ++x) {
        for (int c = 0; c < 3; ++c) {
          image.pixels.push_back(noise
                                     ? static_cast<uint8_t>(random.Next())
                                     : static_cast<uint8_t>(base + (x * slope_x + y * slope_y) / 3 + 5 * c));
        }
      }
    }
    EXPECT_FALSE(ReadWatermark(image).has_value()) << i;
  }
  for (uint64_t seed = 0; seed < 30; ++seed)
    EXPECT_FALSE(ReadWatermark(NaturalImage(96, 96, seed)).has_value());
  for (int level = 0; level < 256; ++level) {
    const uint8_t byte = static_cast<uint8_t>(level);
    EXPECT_FALSE(ReadWatermark(FlatImage(64, 64, {byte, byte, byte})).has_value());
  }
}

// The chance of a false alarm is over the keys: any image, also another key's, reads as coins.
TEST(Watermark, IsNotFoundWithOtherKeys) {
  const RgbImage marked = *EmbedWatermark(NaturalImage(64, 64, 5), 99, {.key = 1});
  EXPECT_EQ(NumberIn(marked, {.key = 1}), 99u);
  for (uint64_t key = 2; key < 3000; ++key) {
    EXPECT_FALSE(ReadWatermark(marked, {.key = key}).has_value()) << key;
    EXPECT_FALSE(ReadWatermark(FlatImage(64, 64, {255, 255, 255}), {.key = key}).has_value()) << key;
  }
}

TEST(Watermark, IsReplacedByALaterOne) {
  const RgbImage first = *EmbedWatermark(NaturalImage(256, 256, 5), 1);
  EXPECT_EQ(NumberIn(*EmbedWatermark(first, 2)), 2u);
}

TEST(Watermark, StrengthTradesVisibilityForRobustness) {
  const RgbImage image = NaturalImage(256, 256, 9);
  double before = 100;
  for (const double strength : {5.0, 10.0, 20.0, 40.0}) {
    const RgbImage marked = *EmbedWatermark(image, 3, {.strength = strength});
    EXPECT_EQ(NumberIn(marked, {.strength = strength}), 3u) << strength;
    EXPECT_LT(Psnr(image, marked), before - 4) << strength;
    before = Psnr(image, marked);
  }
}

TEST(Watermark, LeavesPixelsBeyondTheLastBlockAlone) {
  const RgbImage image = NaturalImage(70, 67, 2), marked = *EmbedWatermark(image, 5);
  for (int y = 0; y < 67; ++y) {
    for (int x = y < 64 ? 64 : 0; x < 70; ++x) {
      const size_t i = static_cast<size_t>((y * 70 + x) * 3);
      ASSERT_EQ(marked.pixels[i], image.pixels[i]);
    }
  }
}

TEST(Watermark, RefusesSmallImagesAndBadOptions) {
  for (const ImageSize size : {ImageSize{63, 64}, ImageSize{7, 5000}, ImageSize{56, 72}, ImageSize{1, 1}}) {
    const RgbImage image = NaturalImage(size.width, size.height, 1);
    const auto marked = EmbedWatermark(image, 1);
    EXPECT_TRUE(absl::IsInvalidArgument(marked.status()));
    EXPECT_THAT(std::string(marked.status().message()), HasSubstr("too small"));
    EXPECT_FALSE(ReadWatermark(image).has_value());
  }
  const RgbImage image = NaturalImage(64, 64, 1);
  for (const double strength : {0.0, -3.0, 65.0, std::nan("")}) {
    EXPECT_FALSE(EmbedWatermark(image, 1, {.strength = strength}).ok());
    EXPECT_FALSE(ReadWatermark(image, {.strength = strength}).has_value());
  }
  EXPECT_FALSE(EmbedWatermark(RgbImage{64, 64, {}}, 1).ok());
  EXPECT_FALSE(ReadWatermark(RgbImage{64, 64, {}}).has_value());
}

}  // namespace
}  // namespace lvrpo
