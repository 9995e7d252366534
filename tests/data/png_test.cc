#include "data/image/png.h"

#include "gtest/gtest.h"
#include "tests/data/sample_images.h"

namespace lvrpo {
namespace {

TEST(Png, KeepsEveryPixelAndRefusesDamage) {
  const RgbImage image = ScatteredImage(17, 9);
  const std::string bytes = *EncodePng(image);
  const auto back = DecodePng(bytes);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->width, 17);
  EXPECT_EQ(back->pixels, image.pixels);
  // Cut anywhere before the end of its pixels it is an error (after them are a checksum and the last chunk,
  // which is empty); with a header byte changed never a crash.
  for (size_t size = 0; size < bytes.size() - 4 - 12; ++size)
    EXPECT_FALSE(DecodePng(bytes.substr(0, size)).ok()) << size;
  for (size_t i = 0; i < 40; ++i) {
    std::string damaged = bytes;
    damaged[i] ^= 0x55;
    (void)DecodePng(damaged);
  }
  EXPECT_FALSE(DecodePng("not a picture").ok());
}

}  // namespace
}  // namespace lvrpo
