#include "verifiers/images/artefacts.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>

#include "gtest/gtest.h"

namespace lvrpo {
namespace {

RgbImage Gray(int width, int height, const std::function<double(int, int)>& value) {
  RgbImage image{width, height, {}};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const auto byte = static_cast<uint8_t>(std::clamp(std::lround(value(x, y)), 0L, 255L));
      image.pixels.insert(image.pixels.end(), {byte, byte, byte});
    }
  }
  return image;
}

// Discs with sharp edges on a plain ground, as a drawing has them.
RgbImage Discs(int width, int height, uint64_t seed, const std::function<double(int, int)>& added) {
  std::mt19937_64 random(seed);
  struct Disc {
    double x, y, radius, shade;
  };
  std::vector<Disc> discs;
  std::uniform_real_distribution<double> unit(0, 1);
  for (int i = 0; i < 5; ++i) {
    const double x = unit(random) * width, y = unit(random) * height;
    discs.push_back({x, y, (0.05 + 0.15 * unit(random)) * width, 40 + 150 * unit(random)});
  }
  return Gray(width, height, [&](int x, int y) {
    double shade = 200;
    for (const Disc& disc : discs) {
      if (std::hypot(x - disc.x, y - disc.y) < disc.radius) shade = disc.shade;
    }
    return shade + added(x, y);
  });
}

double Nothing(int, int) { return 0; }

TEST(GridArtefacts, PatternsOfAGridAreAllOfTheDetail) {
  for (const int side : {6, 12, 24, 48, 64, 100, 256}) {
    EXPECT_GT(GridArtefacts(Gray(side, side, [](int x, int y) { return (x + y) % 2 == 0 ? 90 : 160; })), 0.95)
        << side;
  }
  EXPECT_GT(GridArtefacts(Gray(64, 96, [](int x, int y) { return x % 8 == 0 || y % 8 == 0 ? 90 : 160; })),
            0.95);
}

TEST(GridArtefacts, DrawingsAndNoiseHaveHardlyAny) {
  double sum = 0;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const double share = GridArtefacts(Discs(64 + static_cast<int>(seed) * 5, 64, seed, Nothing));
    EXPECT_LT(share, 0.15) << seed;
    sum += share;
  }
  EXPECT_LT(sum / 20, 0.05);
  std::mt19937_64 random(1);
  std::normal_distribution<double> noise(128, 30);
  EXPECT_LT(GridArtefacts(Gray(128, 128, [&](int, int) { return noise(random); })), 0.02);
}

TEST(GridArtefacts, AFaintGridOverADrawingShows) {
  for (const int period : {2, 4, 8, 16}) {
    double clean = 0, marked = 0;
    for (uint64_t seed = 0; seed < 10; ++seed) {
      clean += GridArtefacts(Discs(128, 128, seed, Nothing)) / 10;
      marked += GridArtefacts(
                    Discs(128, 128, seed,
                          [&](int x, int y) { return x % period == 0 || y % period == 0 ? 12.0 : 0.0; })) /
                10;
    }
    EXPECT_GT(marked, clean + 0.03) << period;
  }
}

TEST(GridArtefacts, NothingToSeeIsNothingFound) {
  EXPECT_EQ(GridArtefacts(Gray(64, 64, [](int, int) { return 77; })), 0);
  EXPECT_EQ(GridArtefacts(Gray(1, 1, [](int, int) { return 77; })), 0);
  EXPECT_EQ(GridArtefacts(Gray(5, 5, [](int x, int) { return x * 40; })), 0);
  EXPECT_EQ(GridArtefacts({}), 0);
  // A thin image has one axis to look at.
  EXPECT_GT(GridArtefacts(Gray(64, 1, [](int x, int) { return x % 2 * 100; })), 0.95);
}

}  // namespace
}  // namespace lvrpo
