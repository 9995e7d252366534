#include "reward_server/scorers/objects.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>

#include "gtest/gtest.h"
#include "shapes_world/captions.h"
#include "shapes_world/scene.h"

namespace lvrpo {
namespace {

using shapes::Scene;

Scene OneCircle(int background = 180) {
  Scene scene;
  scene.objects.push_back({.shape = 0, .color = 0, .cell = 0, .x = 16, .y = 16, .radius = 10.5});
  scene.background = background;
  return scene;
}

using Paint = std::function<void(uint8_t* pixel, int x, int y)>;
RgbImage Painted(const Scene& scene, const Paint& paint) {
  RgbImage image = shapes::Render(scene);
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x)
      paint(&image.pixels[static_cast<size_t>(y * image.width + x) * 3], x, y);
  }
  return image;
}
// A square of 20 pixels in the bottom right cell.
Paint Square(int red, int green, int blue) {
  return [=](uint8_t* pixel, int x, int y) {
    if (x < 38 || x >= 58 || y < 38 || y >= 58) return;
    pixel[0] = static_cast<uint8_t>(red);
    pixel[1] = static_cast<uint8_t>(green);
    pixel[2] = static_cast<uint8_t>(blue);
  };
}

// Mean over 3x3 pixels and noise of a few grey levels, as an autoencoder leaves them.
RgbImage Blurred(const RgbImage& image, Random& random) {
  RgbImage out = image;
  for (int y = 1; y + 1 < image.height; ++y) {
    for (int x = 1; x + 1 < image.width; ++x) {
      for (int c = 0; c < 3; ++c) {
        int sum = 0;
        for (int dy = -1; dy <= 1; ++dy) {
          for (int dx = -1; dx <= 1; ++dx)
            sum += image.pixels[static_cast<size_t>(((y + dy) * image.width + x + dx) * 3 + c)];
        }
        out.pixels[static_cast<size_t>((y * image.width + x) * 3 + c)] =
            static_cast<uint8_t>(std::clamp(sum / 9 + random.Below(13) - 6, 0, 255));
      }
    }
  }
  return out;
}

TEST(ObjectFinder, AgreesWithTheSceneOnOrdinaryImages) {
  const ObjectFinder finder;
  Random random(23);
  for (int i = 0; i < 600; ++i) {
    Scene scene = shapes::RandomScene(random);  // half of the backgrounds are noisy
    for (shapes::Object& object : scene.objects) object.radius = random.Uniform(9, 12);
    const RgbImage sharp = shapes::Render(scene);
    for (const RgbImage& image : {sharp, Blurred(sharp, random)}) {
      const std::vector<SegmentedObject> found = finder.Find(image);
      ASSERT_EQ(found.size(), scene.objects.size()) << i;
      for (const shapes::Object& object : scene.objects) {
        EXPECT_TRUE(
            std::any_of(found.begin(), found.end(),
                        [&](const SegmentedObject& candidate) {
                          return std::hypot(candidate.x - object.x, candidate.y - object.y) < 4 &&
                                 candidate.shape == shapes::kShapeNames[static_cast<size_t>(object.shape)] &&
                                 candidate.color == shapes::kColorNames[static_cast<size_t>(object.color)];
                        }))
            << i << ": " << shapes::kColorNames[static_cast<size_t>(object.color)] << " "
            << shapes::kShapeNames[static_cast<size_t>(object.shape)];
      }
    }
  }
}

TEST(ObjectFinder, SeesWhatHasNoColour) {
  const ObjectFinder finder;
  struct Case {
    const char* what;
    int background;
    int red, green, blue;
    const char* color;  // "": nothing is found
  };
  const Case cases[] = {{"white", 180, 255, 255, 255, "unknown"},
                        {"white on the lightest background", 210, 255, 255, 255, "unknown"},
                        {"black", 180, 0, 0, 0, "unknown"},
                        {"black on the darkest background", 150, 0, 0, 0, "unknown"},
                        {"lighter grey", 180, 230, 230, 230, "unknown"},
                        {"darker grey", 180, 130, 130, 130, "unknown"},
                        {"pale red", 180, 250, 210, 210, "unknown"},
                        {"red", 180, 220, 40, 40, "red"},
                        {"a shade of the background", 180, 190, 190, 190, ""},
                        {"a tint of the background", 180, 200, 180, 180, ""}};
  for (const Case& test : cases) {
    SCOPED_TRACE(test.what);
    const std::vector<SegmentedObject> found =
        finder.Find(Painted(OneCircle(test.background), Square(test.red, test.green, test.blue)));
    ASSERT_EQ(found.size(), *test.color == 0 ? 1u : 2u);
    EXPECT_EQ(found[0].color, "red");
    EXPECT_EQ(found[0].shape, "circle");
    if (found.size() < 2) continue;
    EXPECT_EQ(found[1].color, test.color);
    EXPECT_EQ(found[1].shape, "square");
    EXPECT_NEAR(found[1].x, 47.5, 0.01);
    EXPECT_NEAR(found[1].y, 47.5, 0.01);
    EXPECT_EQ(found[1].pixels, 400);
  }
}

// What covers most of the image is taken for the background, and the rest stands out.
TEST(ObjectFinder, ALargeColourlessAreaIsNotOverlooked) {
  const ObjectFinder finder;
  for (const int columns : {8, 20, 32, 44, 56}) {
    const RgbImage image = Painted(OneCircle(), [&](uint8_t* pixel, int x, int) {
      if (x >= 64 - columns) std::fill_n(pixel, 3, 255);
    });
    EXPECT_GE(finder.Find(image).size(), 2u) << columns;
  }
}

TEST(ObjectFinder, TexturesAndSpecksAreObjectsOfNoColourOrShape) {
  const ObjectFinder finder;
  const Scene circle = OneCircle();
  const RgbImage plain = shapes::Render(circle);
  const auto with_texture = [&](const std::function<bool(int x, int y)>& white) {
    return Painted(circle, [white](uint8_t* pixel, int x, int y) {
      if (x >= 38 && x < 58 && y >= 38 && y < 58 && white(x, y)) std::fill_n(pixel, 3, 255);
    });
  };
  for (const RgbImage& image : {with_texture([](int x, int y) { return (x + y) % 2 == 0; }),
                                with_texture([](int x, int) { return x % 4 < 2; }),
                                with_texture([](int x, int y) { return x % 2 == 0 && y % 2 == 0; })}) {
    const std::vector<SegmentedObject> found = finder.Find(image);
    ASSERT_GE(found.size(), 2u);
    EXPECT_EQ(found[0].color, "red");
    for (size_t i = 1; i < found.size(); ++i)
      EXPECT_EQ(found[i].color + " " + found[i].shape, "unknown unknown");
  }
  // Over the circle: what is left of its colour has no shape.
  const auto over = [&](const std::function<bool(int x, int y)>& replaced, std::array<uint8_t, 3> color) {
    return Painted(circle, [=](uint8_t* pixel, int x, int y) {
      if (pixel[0] - pixel[1] >= 45 && replaced(x, y)) std::copy_n(color.data(), 3, pixel);
    });
  };
  const std::array<uint8_t, 3> white = {255, 255, 255}, grey = {180, 180, 180}, pink = {250, 120, 190};
  for (const RgbImage& image : {over([](int x, int y) { return (x + y) % 2 == 0; }, white),
                                over([](int x, int y) { return (x + y) % 2 == 0; }, grey),
                                over([](int x, int y) { return (x + y) % 2 == 0; }, pink),
                                over([](int x, int y) { return x / 2 % 2 == 0 && y / 2 % 2 == 0; }, white)}) {
    for (const SegmentedObject& object : finder.Find(image))
      EXPECT_EQ(object.shape, "unknown") << object.color;
  }
}

TEST(ObjectFinder, TheSoftEdgeOfAnObjectIsNoObject) {
  const ObjectFinder finder;
  Random random(5);
  // Green has the strongest contrast for its saturation.
  for (int background = 150; background <= 210; background += 10) {
    for (int shape = 0; shape < shapes::kShapeCount; ++shape) {
      Scene scene = OneCircle(background);
      scene.objects[0].shape = shape;
      scene.objects[0].color = 3;
      RgbImage image = shapes::Render(scene);
      for (int times = 0; times < 3; ++times) {
        EXPECT_EQ(finder.Find(image).size(), 1u) << background << " " << shape << " " << times;
        image = Blurred(image, random);
      }
    }
  }
}

TEST(ObjectFinder, BoundsWhatItReturns) {
  const ObjectFinder finder;
  Random random(9);
  RgbImage noise{512, 512, std::vector<uint8_t>(size_t{3} * 512 * 512)};
  for (uint8_t& value : noise.pixels) value = static_cast<uint8_t>(random.Below(256));
  EXPECT_LE(finder.Find(noise).size(), 65u);
  // 4x4 white squares, 5 pixels apart: more than ten thousand objects.
  RgbImage squares{512, 512, std::vector<uint8_t>(size_t{3} * 512 * 512, 180)};
  for (int y = 0; y < 512; ++y) {
    for (int x = 0; x < 512; ++x) {
      if (x % 5 < 4 && y % 5 < 4) std::fill_n(&squares.pixels[static_cast<size_t>(y * 512 + x) * 3], 3, 255);
    }
  }
  EXPECT_LE(finder.Find(squares).size(), 65u);
  EXPECT_TRUE(finder.Find(RgbImage{1, 1, {9, 9, 9}}).empty());
  EXPECT_TRUE(finder.Find(RgbImage{1, 1, {255, 0, 0}}).empty());
}

}  // namespace
}  // namespace lvrpo
