#include "data/image/resize.h"

#include "common/hash.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/data/sample_images.h"

namespace lvrpo {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;

constexpr ResizeFilter kFilters[] = {ResizeFilter::kNearest, ResizeFilter::kBilinear, ResizeFilter::kBicubic,
                                     ResizeFilter::kLanczos};

// Checksums of what Pillow 13.0.0 makes of the same bytes.
TEST(Resize, EqualsPillowBitForBit) {
  struct Golden {
    int channels;
    ImageSize from, to;
    ResizeFilter filter;
    uint32_t crc;
  };
  const Golden goldens[] = {
      {3, {37, 23}, {16, 16}, ResizeFilter::kNearest, 0xabbb6c02},
      {3, {37, 23}, {16, 16}, ResizeFilter::kLanczos, 0x555ebba3},
      {3, {37, 23}, {16, 16}, ResizeFilter::kBilinear, 0xf0b3a4c6},
      {3, {37, 23}, {16, 16}, ResizeFilter::kBicubic, 0xa0283e60},
      {3, {37, 23}, {64, 50}, ResizeFilter::kNearest, 0x2de88e8b},
      {3, {37, 23}, {64, 50}, ResizeFilter::kLanczos, 0x9e163d4e},
      {3, {37, 23}, {64, 50}, ResizeFilter::kBilinear, 0x609222d4},
      {3, {37, 23}, {64, 50}, ResizeFilter::kBicubic, 0xe6bbd7e0},
      {3, {23, 40}, {40, 10}, ResizeFilter::kNearest, 0x555c62aa},
      {3, {23, 40}, {40, 10}, ResizeFilter::kLanczos, 0xc7239600},
      {3, {23, 40}, {40, 10}, ResizeFilter::kBilinear, 0x3f8ebef5},
      {3, {23, 40}, {40, 10}, ResizeFilter::kBicubic, 0xd5cd3c82},
      {1, {100, 7}, {9, 7}, ResizeFilter::kNearest, 0xceef8be5},
      {1, {100, 7}, {9, 7}, ResizeFilter::kLanczos, 0xd6527a2d},
      {1, {100, 7}, {9, 7}, ResizeFilter::kBilinear, 0xecdbd3e0},
      {1, {100, 7}, {9, 7}, ResizeFilter::kBicubic, 0x83c6bde7},
      {1, {5, 90}, {5, 31}, ResizeFilter::kNearest, 0x4d408e1d},
      {1, {5, 90}, {5, 31}, ResizeFilter::kLanczos, 0x864a63e1},
      {1, {5, 90}, {5, 31}, ResizeFilter::kBilinear, 0x5bf75717},
      {1, {5, 90}, {5, 31}, ResizeFilter::kBicubic, 0xf08a5f28},
      {4, {31, 17}, {20, 40}, ResizeFilter::kNearest, 0x6f05cfde},
      {4, {31, 17}, {20, 40}, ResizeFilter::kLanczos, 0x73033ddc},
      {4, {31, 17}, {20, 40}, ResizeFilter::kBilinear, 0x517127f2},
      {4, {31, 17}, {20, 40}, ResizeFilter::kBicubic, 0x068745a0},
      {2, {19, 29}, {11, 13}, ResizeFilter::kNearest, 0xc6dd309c},
      {2, {19, 29}, {11, 13}, ResizeFilter::kLanczos, 0x0b0e69c9},
      {2, {19, 29}, {11, 13}, ResizeFilter::kBilinear, 0x47a9d9e1},
      {2, {19, 29}, {11, 13}, ResizeFilter::kBicubic, 0x00e84219},
      {3, {1, 1}, {5, 3}, ResizeFilter::kNearest, 0x3046e8c7},
      {3, {1, 1}, {5, 3}, ResizeFilter::kLanczos, 0x3046e8c7},
      {3, {1, 1}, {5, 3}, ResizeFilter::kBilinear, 0x3046e8c7},
      {3, {1, 1}, {5, 3}, ResizeFilter::kBicubic, 0x3046e8c7},
      {3, {300, 200}, {1, 1}, ResizeFilter::kNearest, 0xcb6d80ae},
      {3, {300, 200}, {1, 1}, ResizeFilter::kLanczos, 0xe54d3674},
      {3, {300, 200}, {1, 1}, ResizeFilter::kBilinear, 0xe54d3674},
      {3, {300, 200}, {1, 1}, ResizeFilter::kBicubic, 0x7669cb06},
  };
  for (const Golden& golden : goldens) {
    const Raster image{golden.from.width, golden.from.height, golden.channels,
                       ScatteredBytes(golden.from.width, golden.from.height, golden.channels)};
    const auto resized = Resize(image, golden.to, golden.filter);
    ASSERT_TRUE(resized.ok()) << resized.status();
    EXPECT_EQ(Crc32({reinterpret_cast<const char*>(resized->pixels.data()), resized->pixels.size()}),
              golden.crc)
        << golden.channels << " channels, " << golden.from.width << "x" << golden.from.height << " to "
        << golden.to.width << "x" << golden.to.height << ", filter " << static_cast<int>(golden.filter);
  }
}

TEST(Resize, KeepsOneColourAndOneSize) {
  const RgbImage flat = FlatImage(13, 7, {3, 200, 255}), scattered = ScatteredImage(13, 7);
  for (const ResizeFilter filter : kFilters) {
    for (const ImageSize size : {ImageSize{1, 1}, ImageSize{40, 3}, ImageSize{5, 60}, ImageSize{13, 20}}) {
      const auto resized = Resize(flat, size, filter);
      ASSERT_TRUE(resized.ok());
      EXPECT_EQ(resized->pixels, FlatImage(size.width, size.height, {3, 200, 255}).pixels);
    }
    EXPECT_EQ(Resize(scattered, {13, 7}, filter)->pixels, scattered.pixels);
  }
}

TEST(Resize, TreatsChannelsAlike) {
  const RgbImage colour = ScatteredImage(29, 31);
  for (const ResizeFilter filter : kFilters) {
    const auto resized = Resize(colour, {12, 50}, filter);
    for (size_t c = 0; c < 3; ++c) {
      Raster gray{29, 31, 1, {}};
      for (size_t i = c; i < colour.pixels.size(); i += 3) gray.pixels.push_back(colour.pixels[i]);
      const auto alone = Resize(gray, {12, 50}, filter);
      for (size_t i = 0; i < alone->pixels.size(); ++i)
        ASSERT_EQ(alone->pixels[i], resized->pixels[i * 3 + c]);
    }
  }
}

TEST(Resize, EnlargesByWholeFactorsWithoutChange) {
  const RgbImage image = ScatteredImage(5, 4);
  const auto large = Resize(image, {15, 12}, ResizeFilter::kNearest);
  for (int y = 0; y < 12; ++y) {
    for (int x = 0; x < 15; ++x) {
      EXPECT_EQ(large->pixels[static_cast<size_t>((y * 15 + x) * 3)],
                image.pixels[static_cast<size_t>((y / 3 * 5 + x / 3) * 3)]);
    }
  }
}

TEST(Resize, TakesExtremeShapes) {
  for (const ResizeFilter filter : kFilters) {
    const auto wide = Resize(FlatImage(65535, 1, {9, 9, 9}), {1, 65535}, filter);
    ASSERT_TRUE(wide.ok()) << wide.status();
    EXPECT_THAT(wide->pixels, Each(9));
  }
}

TEST(Resize, RefusesWhatCannotBe) {
  const RgbImage image = ScatteredImage(4, 4);
  for (const ImageSize size : {ImageSize{0, 4}, ImageSize{4, -1}, ImageSize{-2147483647 - 1, 2},
                               ImageSize{2147483647, 1}, ImageSize{1 << 20, 1 << 20}}) {
    const auto resized = Resize(image, size, ResizeFilter::kBilinear);
    EXPECT_TRUE(absl::IsInvalidArgument(resized.status()));
    EXPECT_THAT(std::string(resized.status().message()), HasSubstr("cannot resize 4x4"));
  }
  EXPECT_FALSE(Resize(RgbImage{4, 4, {1, 2, 3}}, {2, 2}, ResizeFilter::kNearest).ok());
  EXPECT_FALSE(Resize(RgbImage{}, {2, 2}, ResizeFilter::kNearest).ok());
  EXPECT_FALSE(Resize(Raster{1, 1, 5, {1, 2, 3, 4, 5}}, {2, 2}, ResizeFilter::kNearest).ok());
}

TEST(Resize, KnowsPillowsNumbers) {
  EXPECT_EQ(*ResizeFilterByNumber(0), ResizeFilter::kNearest);
  EXPECT_EQ(*ResizeFilterByNumber(1), ResizeFilter::kLanczos);
  EXPECT_EQ(*ResizeFilterByNumber(2), ResizeFilter::kBilinear);
  EXPECT_EQ(*ResizeFilterByNumber(3), ResizeFilter::kBicubic);
  EXPECT_FALSE(ResizeFilterByNumber(4).ok());
}

}  // namespace
}  // namespace lvrpo
