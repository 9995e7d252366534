#include "shapes_world/checker.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>

#include "data/image/png.h"
#include "gtest/gtest.h"
#include "shapes_world/captions.h"
#include "shapes_world/composition.h"

namespace lvrpo::shapes {
namespace {

Composition RandomComposition(int kind, Random& random) {
  const auto& all = AllCompositions(static_cast<Composition::Kind>(kind));
  return all[static_cast<size_t>(random.Below(static_cast<int>(all.size())))];
}

// 3x3 box blur and noise of a few grey levels: what an autoencoder does to an image.
RgbImage Degrade(const RgbImage& image, Random& random) {
  RgbImage out = image;
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      for (int c = 0; c < 3; ++c) {
        int sum = 0, count = 0;
        for (int dy = -1; dy <= 1; ++dy) {
          for (int dx = -1; dx <= 1; ++dx) {
            const int nx = x + dx, ny = y + dy;
            if (nx < 0 || ny < 0 || nx >= image.width || ny >= image.height) continue;
            sum += image.pixels[static_cast<size_t>((ny * image.width + nx) * 3 + c)];
            ++count;
          }
        }
        const int noise = random.Below(13) + random.Below(13) - 12;
        out.pixels[static_cast<size_t>((y * image.width + x) * 3 + c)] =
            static_cast<uint8_t>(std::clamp(sum / count + noise, 0, 255));
      }
    }
  }
  return out;
}

// Ground truth without pixels: the scene's own objects.
bool SceneIsRight(const Scene& scene, const Composition& asked) {
  const auto is = [](const Object& o, int shape, int color) {
    return (shape < 0 || o.shape == shape) && (color < 0 || o.color == color);
  };
  const size_t total = asked.shape_b >= 0 ? 2 : static_cast<size_t>(asked.count);
  if (scene.objects.size() != total) return false;
  if (asked.shape_b < 0) {
    return std::all_of(scene.objects.begin(), scene.objects.end(),
                       [&](const Object& o) { return is(o, asked.shape_a, asked.color_a); });
  }
  for (const auto& [first, second] : {std::pair{0, 1}, {1, 0}}) {
    const Object& a = scene.objects[static_cast<size_t>(first)];
    const Object& b = scene.objects[static_cast<size_t>(second)];
    if (!is(a, asked.shape_a, asked.color_a) || !is(b, asked.shape_b, asked.color_b)) continue;
    if (asked.kind != Composition::kPosition) return true;
    if (asked.above ? a.cell / 2 < b.cell / 2 : a.cell % 2 < b.cell % 2) return true;
  }
  return false;
}

double Agreement(int renders, bool degrade) {
  Random random(7);
  int agree = 0, right = 0;
  for (int i = 0; i < renders; ++i) {
    const Composition asked = RandomComposition(i % kKindCount, random);
    // Half the scenes are right; the rest show another composition of the same kind, or something random.
    Scene scene = MakeScene(asked, random);
    if (i % 2 == 1) {
      scene = random.Chance(0.5) ? MakeScene(RandomComposition(i % kKindCount, random), random)
                                 : RandomScene(random);
    }
    RgbImage image = Render(scene);
    if (degrade) image = Degrade(image, random);
    const bool truth = SceneIsRight(scene, asked);
    right += truth;
    agree += Check(image, MakeRecord(asked, "x", random)).correct == truth;
  }
  EXPECT_GT(right, renders / 3);
  return static_cast<double>(agree) / renders;
}

TEST(Checker, AgreesWithTheGroundTruthOfRenders) {
  const double agreement = Agreement(6000, false);
  std::printf("checker agreement over 6000 renders: %.4f\n", agreement);
  EXPECT_GE(agreement, 0.99);
}

TEST(Checker, SurvivesBlurAndNoise) {
  const double agreement = Agreement(6000, true);
  std::printf("checker agreement over 6000 blurred and noisy renders: %.4f\n", agreement);
  EXPECT_GE(agreement, 0.98);
}

TEST(Checker, AnExtraObjectIsWrongButPresent) {
  Random random(3);
  const Composition asked = {.kind = Composition::kColors, .shape_a = 0, .color_a = 0};
  Scene scene;
  scene.objects = {PlaceObject(0, 0, 0, random), PlaceObject(1, 5, 3, random)};
  const CheckResult result = Check(Render(scene), MakeRecord(asked, "x", random));
  EXPECT_FALSE(result.correct);
  EXPECT_TRUE(result.presence_only);
  EXPECT_EQ(result.objects.size(), 2u);
}

TEST(Checker, AnEmptyImageShowsNothing) { EXPECT_TRUE(SegmentShapes(Render(Scene{})).empty()); }

}  // namespace
}  // namespace lvrpo::shapes
