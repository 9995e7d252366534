#include "data/image/image_grid.h"

#include "gtest/gtest.h"
#include "tests/data/sample_images.h"

namespace lvrpo {
namespace {

TEST(ImageGrid, HasAGapOnEverySide) {
  const RgbImage grid = MakeGrid({ScatteredImage(4, 4), ScatteredImage(4, 4), ScatteredImage(4, 4)}, 2, 1, 2);
  EXPECT_EQ(grid.width, 2 * 8 + 3);
  EXPECT_EQ(grid.height, 2 * 8 + 3);
}

}  // namespace
}  // namespace lvrpo
