#include "shapes_world/scene.h"

#include <algorithm>
#include <cmath>

namespace lvrpo::shapes {
namespace {

// Signed distance (negative inside) of a shape of circumradius r centred at the origin; y points down.
double Distance(int shape, double x, double y, double r) {
  const double ax = std::abs(x), ay = std::abs(y);
  switch (shape) {
    case 0:  // circle
      return std::hypot(x, y) - r;
    case 1:  // square
      return std::max(ax, ay) - 0.85 * r;
    case 2:  // triangle, apex up
      return std::max(y - r / 2, std::sqrt(3.0) / 2 * ax - y / 2 - r / 2);
    case 3:  // cross
      return std::min(std::max(ax - r, ay - 0.34 * r), std::max(ay - r, ax - 0.34 * r));
    case 4:  // ring
      return std::abs(std::hypot(x, y) - 0.74 * r) - 0.25 * r;
    default: {  // heart: two discs over a wedge
      const double discs = std::hypot(ax - 0.46 * r, y + 0.3 * r) - 0.5 * r;
      const double wedge = std::max(-(y + 0.1 * r), (0.97 * ax + 0.9 * (y + 0.02 * r) - 0.873 * r) / 1.323);
      return std::min(discs, wedge);
    }
  }
}

}  // namespace

RgbImage Render(const Scene& scene) {
  RgbImage image;
  image.width = image.height = kImageSize;
  image.pixels.assign(size_t{3} * kImageSize * kImageSize, static_cast<uint8_t>(scene.background));
  if (scene.noise > 0) {
    Random random(scene.noise_seed);
    for (size_t i = 0; i < image.pixels.size(); i += 3) {
      const int grey = scene.background + random.Below(2 * scene.noise + 1) - scene.noise;
      std::fill_n(&image.pixels[i], 3, static_cast<uint8_t>(std::clamp(grey, 0, 255)));
    }
  }
  for (const Object& object : scene.objects) {
    const int reach = static_cast<int>(std::ceil(object.radius)) + 1;
    const int left = std::max(0, static_cast<int>(object.x) - reach);
    const int right = std::min(kImageSize - 1, static_cast<int>(object.x) + reach);
    const int top = std::max(0, static_cast<int>(object.y) - reach);
    const int bottom = std::min(kImageSize - 1, static_cast<int>(object.y) + reach);
    for (int y = top; y <= bottom; ++y) {
      for (int x = left; x <= right; ++x) {
        const double distance = Distance(object.shape, x + 0.5 - object.x, y + 0.5 - object.y, object.radius);
        const double cover = std::clamp(0.5 - distance, 0.0, 1.0);
        if (cover == 0) continue;
        uint8_t* pixel = &image.pixels[(static_cast<size_t>(y) * kImageSize + x) * 3];
        for (int c = 0; c < 3; ++c) {
          pixel[c] = static_cast<uint8_t>(
              std::lround(cover * kPalette[static_cast<size_t>(object.color)][static_cast<size_t>(c)] +
                          (1 - cover) * pixel[c]));
        }
      }
    }
  }
  return image;
}

Object PlaceObject(int shape, int color, int cell, Random& random) {
  Object object;
  object.shape = shape;
  object.color = color;
  object.cell = cell;
  object.x = (cell % 2) * kCellSize + kCellSize / 2.0 + random.Uniform(-1.5, 1.5);
  object.y = (cell / 2) * kCellSize + kCellSize / 2.0 + random.Uniform(-1.5, 1.5);
  object.radius = random.Chance(0.5) ? 10.5 : 12.0;
  return object;
}

Scene RandomBackground(Random& random) {
  Scene scene;
  scene.background = 150 + random.Below(61);
  scene.noise = random.Chance(0.5) ? 0 : 2 + random.Below(4);
  scene.noise_seed = random.Next();
  return scene;
}

}  // namespace lvrpo::shapes
