#include "verifiers/images/crop_color.h"

#include <algorithm>
#include <limits>
#include <random>

#include "gtest/gtest.h"

namespace lvrpo {
namespace {

using Rgb = std::array<int, 3>;

RgbImage Plain(int width, int height, Rgb color) {
  RgbImage image{width, height, {}};
  for (int i = 0; i < width * height; ++i) {
    for (const int channel : color) image.pixels.push_back(static_cast<uint8_t>(channel));
  }
  return image;
}

void Paint(RgbImage* image, int x0, int y0, int x1, int y1, Rgb color) {
  for (int y = y0; y < y1; ++y) {
    for (int x = x0; x < x1; ++x) {
      for (int k = 0; k < 3; ++k)
        image->pixels[static_cast<size_t>((y * image->width + x) * 3 + k)] = static_cast<uint8_t>(color[k]);
    }
  }
}

Detection Box(double x0, double y0, double x1, double y1) {
  return {.class_name = "thing", .score = 1, .x0 = x0, .y0 = y0, .x1 = x1, .y1 = y1, .color = ""};
}

// Colours as people name them, none of them one of the samples.
TEST(CropColor, NamesPaintedRectangles) {
  const std::pair<Rgb, const char*> cases[] = {
      {{255, 0, 0}, "red"},       {{200, 30, 40}, "red"},     {{139, 0, 0}, "red"},
      {{255, 128, 0}, "orange"},  {{250, 130, 30}, "orange"}, {{255, 160, 60}, "orange"},
      {{255, 255, 0}, "yellow"},  {{250, 220, 50}, "yellow"}, {{255, 250, 150}, "yellow"},
      {{0, 128, 0}, "green"},     {{50, 205, 50}, "green"},   {{34, 85, 34}, "green"},
      {{0, 0, 255}, "blue"},      {{30, 100, 200}, "blue"},   {{0, 0, 128}, "blue"},
      {{135, 206, 235}, "blue"},  {{128, 0, 128}, "purple"},  {{148, 0, 211}, "purple"},
      {{255, 192, 203}, "pink"},  {{255, 20, 147}, "pink"},   {{139, 69, 19}, "brown"},
      {{101, 67, 33}, "brown"},   {{5, 5, 5}, "black"},       {{25, 25, 25}, "black"},
      {{250, 250, 250}, "white"}, {{240, 238, 235}, "white"}, {{130, 130, 130}, ""},
      {{160, 165, 160}, ""},
  };
  for (const auto& [color, name] : cases) {
    RgbImage image = Plain(100, 80, {153, 153, 153});
    Paint(&image, 20, 10, 70, 60, color);
    EXPECT_EQ(CropColor(image, Box(20, 10, 70, 60)), name) << color[0] << " " << color[1] << " " << color[2];
  }
}

TEST(CropColor, LooksAtTheInnerPartAlone) {
  RgbImage image = Plain(100, 100, {0, 160, 0});
  Paint(&image, 30, 30, 70, 70, {250, 0, 0});  // less than a quarter of the box, but its middle
  EXPECT_EQ(CropColor(image, Box(15, 15, 85, 85)), "red");
  EXPECT_EQ(CropColor(image, Box(0, 0, 29, 29)), "green");
}

TEST(CropColor, SurvivesNoiseAndShade) {
  std::mt19937 random(5);
  RgbImage image = Plain(128, 128, {255, 255, 255});
  for (int y = 0; y < 128; ++y) {
    for (int x = 0; x < 128; ++x) {
      const int shade = 110 + y;  // darker at the top
      Rgb color = {20 * shade / 255, 60 * shade / 255, 235 * shade / 255};
      for (int& channel : color) channel = std::clamp(channel + static_cast<int>(random() % 41) - 20, 0, 255);
      if (random() % 10 < 3) color = {static_cast<int>(random() % 256), static_cast<int>(random() % 256), 0};
      Paint(&image, x, y, x + 1, y + 1, color);
    }
  }
  EXPECT_EQ(CropColor(image, Box(0, 0, 128, 128)), "blue");
}

TEST(CropColor, GradientsGoToTheLargerPart) {
  RgbImage image = Plain(100, 10, {0, 0, 0});
  for (int x = 0; x < 100; ++x) Paint(&image, x, 0, x + 1, 10, {255 - x, 0, x});  // red, hardly purple
  EXPECT_EQ(CropColor(image, Box(0, 0, 100, 10)), "red");
  for (int x = 0; x < 100; ++x) Paint(&image, x, 0, x + 1, 10, {90 + x, 90 + x, 90 + x});
  EXPECT_EQ(CropColor(image, Box(0, 0, 100, 10)), "");
}

TEST(CropColor, GreyHasNoVoteButMayBeTooMuch) {
  for (const auto& [rows, name] : {std::pair{40, "red"}, {10, ""}}) {
    RgbImage image = Plain(100, 100, {128, 128, 128});
    Paint(&image, 0, 50, 100, 50 + rows, {230, 0, 0});
    EXPECT_EQ(CropColor(image, Box(0, 0, 100, 100)), name) << rows;
  }
}

TEST(CropColor, TakesAnyBox) {
  const RgbImage image = Plain(10, 8, {255, 0, 0});
  const double nan = std::numeric_limits<double>::quiet_NaN(), huge = 1e300;
  for (const Detection& inside :
       {Box(0, 0, 10, 8), Box(-10, -8, 20, 16), Box(9.9, 7.9, 10, 8), Box(3, 3, 3, 3), Box(9.5, 0, 9.5, 8),
        Box(-huge, -huge, huge, huge), Box(-5, 2, 0.5, 3), Box(0, 0, 0.1, 0.1)})
    EXPECT_EQ(CropColor(image, inside), "red") << inside.x0 << " " << inside.x1;
  for (const Detection& outside : {Box(10, 0, 12, 8), Box(-3, 0, -1, 8), Box(0, 8, 10, 9), Box(0, -9, 10, 0),
                                   Box(nan, 0, 10, 8), Box(0, 0, nan, 8), Box(5, 0, 2, 8)})
    EXPECT_EQ(CropColor(image, outside), "") << outside.x0 << " " << outside.x1;
  const RgbImage one = Plain(1, 1, {255, 255, 255});
  EXPECT_EQ(CropColor(one, Box(0, 0, 1, 1)), "white");
}

TEST(CropColor, FillsInWhatTheDetectorLeftOut) {
  RgbImage image = Plain(40, 20, {255, 255, 255});
  Paint(&image, 0, 0, 20, 20, {0, 0, 255});
  Detections detections{.width = 40, .height = 20, .objects = {Box(0, 0, 20, 20), Box(20, 0, 40, 20)}};
  detections.objects[1].color = "mauve";
  AddCropColors(image, &detections.objects);
  EXPECT_EQ(detections.objects[0].color, "blue");
  EXPECT_EQ(detections.objects[1].color, "mauve");
}

}  // namespace
}  // namespace lvrpo
