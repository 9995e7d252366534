#include "reward_server/objects.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "shapes_world/scene.h"

namespace lvrpo {
namespace {

constexpr int kMinSaturation = 45;  // largest minus smallest channel, grey levels; backgrounds have none
constexpr int kMinPixels = 12;
constexpr int kRays = 48;
constexpr int kRings = 6;            // samples along a ray
constexpr float kMaxMisfit = 0.22f;  // mean absolute difference to the nearest prototype

int Saturation(const uint8_t* pixel) {
  return std::max({pixel[0], pixel[1], pixel[2]}) - std::min({pixel[0], pixel[1], pixel[2]});
}

// The palette colour of nearest hue, with lightness to tell those of one hue apart.
int NearestColor(double r, double g, double b) {
  int best = 0;
  double best_distance = 1e30;
  for (int color = 0; color < shapes::kColorCount; ++color) {
    const auto& entry = shapes::kPalette[static_cast<size_t>(color)];
    // Differences of channel pairs carry the hue; the sum carries lightness and counts less.
    const double rg = (r - g) - (entry[0] - entry[1]), gb = (g - b) - (entry[1] - entry[2]);
    const double light = (r + g + b) - (entry[0] + entry[1] + entry[2]);
    const double distance = rg * rg + gb * gb + 0.1 * light * light;
    if (distance < best_distance) {
      best_distance = distance;
      best = color;
    }
  }
  return best;
}

struct Region {
  std::vector<char> mask;  // of the whole image
  std::vector<int> pixels;
  double x = 0, y = 0, radius = 0;
};

std::vector<Region> Segment(const RgbImage& image) {
  const int width = image.width, height = image.height;
  std::vector<char> coloured(static_cast<size_t>(width * height));
  for (size_t i = 0; i < coloured.size(); ++i)
    coloured[i] = Saturation(&image.pixels[i * 3]) >= kMinSaturation;
  std::vector<Region> regions;
  std::vector<int> stack;
  for (int start = 0; start < width * height; ++start) {
    if (!coloured[static_cast<size_t>(start)]) continue;
    Region region;
    region.mask.assign(coloured.size(), 0);
    stack.assign(1, start);
    coloured[static_cast<size_t>(start)] = 0;
    while (!stack.empty()) {
      const int at = stack.back();
      stack.pop_back();
      region.pixels.push_back(at);
      region.mask[static_cast<size_t>(at)] = 1;
      const int x = at % width, y = at / width;
      for (int dy = -1; dy <= 1; ++dy) {
        for (int dx = -1; dx <= 1; ++dx) {
          if (x + dx < 0 || x + dx >= width || y + dy < 0 || y + dy >= height) continue;
          const int next = at + dy * width + dx;
          if (!coloured[static_cast<size_t>(next)]) continue;
          coloured[static_cast<size_t>(next)] = 0;
          stack.push_back(next);
        }
      }
    }
    if (static_cast<int>(region.pixels.size()) < kMinPixels) continue;
    for (const int at : region.pixels) {
      region.x += at % width;
      region.y += at / width;
    }
    region.x /= static_cast<double>(region.pixels.size());
    region.y /= static_cast<double>(region.pixels.size());
    for (const int at : region.pixels) {
      region.radius = std::max(region.radius, std::hypot(at % width - region.x, at / width - region.y));
    }
    regions.push_back(std::move(region));
  }
  return regions;
}

}  // namespace

ObjectFinder::Outline ObjectFinder::OutlineOf(const std::vector<char>& mask, int width, int height, double x,
                                              double y, double radius) {
  Outline outline;
  for (int ray = 0; ray < kRays; ++ray) {
    const double angle = 2 * std::numbers::pi * ray / kRays;
    for (int ring = 0; ring < kRings; ++ring) {
      const double distance = radius * (ring + 0.5) / kRings;
      // Four samples per place soften the pixel grid.
      float filled = 0;
      for (const double shift : {-0.25, 0.25}) {
        for (const double turn : {-0.25, 0.25}) {
          const double d = distance + shift * radius / kRings;
          const double a = angle + turn * 2 * std::numbers::pi / kRays;
          const int px = static_cast<int>(std::lround(x + d * std::cos(a)));
          const int py = static_cast<int>(std::lround(y + d * std::sin(a)));
          if (px >= 0 && px < width && py >= 0 && py < height && mask[static_cast<size_t>(py * width + px)])
            filled += 0.25f;
        }
      }
      outline.values.push_back(filled);
    }
  }
  return outline;
}

ObjectFinder::ObjectFinder() {
  for (int shape = 0; shape < shapes::kShapeCount; ++shape) {
    for (const double radius : {9.0, 10.5, 12.0}) {
      for (const double shift : {0.0, 0.5}) {
        shapes::Scene scene;
        scene.objects.push_back(
            {.shape = shape, .color = 0, .cell = 0, .x = 32 + shift, .y = 32 + shift, .radius = radius});
        const RgbImage image = shapes::Render(scene);
        const std::vector<Region> regions = Segment(image);
        if (regions.empty()) continue;
        const Region& region = regions[0];
        prototypes_.push_back(
            {shapes::kShapeNames[static_cast<size_t>(shape)],
             OutlineOf(region.mask, image.width, image.height, region.x, region.y, region.radius)});
      }
    }
  }
}

std::vector<FoundObject> ObjectFinder::Find(const RgbImage& image) const {
  std::vector<FoundObject> found;
  for (const Region& region : Segment(image)) {
    FoundObject object;
    object.x = region.x;
    object.y = region.y;
    object.radius = region.radius;
    object.pixels = static_cast<int>(region.pixels.size());
    // Edges are mixed with the background: the more saturated half of the pixels tells the colour.
    std::vector<int> saturations;
    for (const int at : region.pixels)
      saturations.push_back(Saturation(&image.pixels[static_cast<size_t>(at) * 3]));
    std::vector<int> sorted = saturations;
    std::nth_element(sorted.begin(), sorted.begin() + static_cast<long>(sorted.size() / 2), sorted.end());
    const int median = sorted[sorted.size() / 2];
    double sum[3] = {0, 0, 0};
    int counted = 0;
    for (size_t i = 0; i < region.pixels.size(); ++i) {
      if (saturations[i] < median) continue;
      for (int c = 0; c < 3; ++c) sum[c] += image.pixels[static_cast<size_t>(region.pixels[i] * 3 + c)];
      ++counted;
    }
    object.color = shapes::kColorNames[static_cast<size_t>(
        NearestColor(sum[0] / counted, sum[1] / counted, sum[2] / counted))];
    const Outline outline =
        OutlineOf(region.mask, image.width, image.height, region.x, region.y, region.radius);
    float best = 1e9f;
    object.shape = "unknown";
    for (const Prototype& prototype : prototypes_) {
      float misfit = 0;
      for (size_t i = 0; i < outline.values.size(); ++i)
        misfit += std::abs(outline.values[i] - prototype.outline.values[i]);
      misfit /= static_cast<float>(outline.values.size());
      if (misfit < best) {
        best = misfit;
        object.shape = misfit <= kMaxMisfit ? prototype.shape : "unknown";
      }
    }
    found.push_back(object);
  }
  return found;
}

}  // namespace lvrpo
