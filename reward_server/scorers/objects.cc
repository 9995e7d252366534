#include "reward_server/scorers/objects.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <numbers>
#include <utility>

#include "shapes_world/scene.h"

namespace lvrpo {
namespace {

constexpr int kMinSaturation = 45;  // largest minus smallest channel, grey levels; backgrounds have none
constexpr int kMinContrast = 45;    // largest channel difference from the background, grey levels
constexpr int kMinPixels = 12;
constexpr int kMinSide = 10;           // pixels, of a shape's bounding box
constexpr size_t kMaxMesh = 3;         // pixels of a shape for each inner one; a mesh has more
constexpr int kMinSpecks = 48;         // pixels
constexpr size_t kMaxComponents = 64;  // an image of noise has thousands
constexpr double kMaxTexture = 50;     // channel difference between a pixel and the mean of its object
constexpr int kRays = 48;
constexpr int kRings = 6;            // samples along a ray
constexpr float kMaxMisfit = 0.22f;  // mean absolute difference to the nearest prototype
constexpr char kUnknown[] = "unknown";

int Saturation(const uint8_t* pixel) {
  return std::max({pixel[0], pixel[1], pixel[2]}) - std::min({pixel[0], pixel[1], pixel[2]});
}

// The palette colour of nearest hue, then nearest lightness among equal hues.
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

// The class of a pixel; kTaken: assigned to a component.
enum class Ground : char { kBackground, kColoured, kColourless, kTaken };

// Median of the unsaturated pixels, channel by channel. An object that covers less than half of them does not
// change it; one that covers more is taken for the background.
std::array<int, 3> BackgroundOf(const RgbImage& image) {
  std::array<std::array<size_t, 256>, 3> histogram{};
  size_t counted = 0;
  for (size_t i = 0; i < image.pixels.size(); i += 3) {
    if (Saturation(&image.pixels[i]) >= kMinSaturation) continue;
    for (size_t c = 0; c < 3; ++c) ++histogram[c][image.pixels[i + c]];
    ++counted;
  }
  std::array<int, 3> median{};
  for (size_t c = 0; c < 3; ++c) {
    size_t below = 0;
    while (median[c] < 255 && (below += histogram[c][static_cast<size_t>(median[c])]) * 2 <= counted)
      ++median[c];
  }
  return median;
}

// Calls visit(index) for the eight neighbours of a pixel that lie in the image.
template <typename Visit>
void ForNeighbours(int at, int width, int height, Visit visit) {
  const int x = at % width, y = at / width;
  for (int ny = std::max(0, y - 1); ny <= std::min(height - 1, y + 1); ++ny) {
    for (int nx = std::max(0, x - 1); nx <= std::min(width - 1, x + 1); ++nx) {
      if (nx != x || ny != y) visit(static_cast<size_t>(ny * width + nx));
    }
  }
}

std::vector<Ground> GroundOf(const RgbImage& image) {
  const std::array<int, 3> background = BackgroundOf(image);
  std::vector<Ground> ground(static_cast<size_t>(image.width * image.height), Ground::kBackground);
  for (size_t i = 0; i < ground.size(); ++i) {
    const uint8_t* pixel = &image.pixels[i * 3];
    int contrast = 0;
    for (size_t c = 0; c < 3; ++c) contrast = std::max(contrast, std::abs(pixel[c] - background[c]));
    if (Saturation(pixel) >= kMinSaturation) {
      ground[i] = Ground::kColoured;
    } else if (contrast >= kMinContrast) {
      ground[i] = Ground::kColourless;
    }
  }
  return ground;
}

// Connected pixels, all coloured or all colourless.
struct Component {
  bool coloured = false;
  std::vector<int> pixels;  // y * image width + x
  double x = 0, y = 0, radius = 0;
  int left = 0, top = 0, width = 0, height = 0;  // bounding box
  std::vector<char> mask;                        // of the box
  std::vector<int> inner;                        // the pixels whose eight neighbours belong to it too

  bool Contains(int px, int py) const {
    return px >= left && px < left + width && py >= top && py < top + height &&
           mask[static_cast<size_t>((py - top) * width + px - left)];
  }
};

// Fills in what follows from the pixels.
void Measure(Component& component, int image_width) {
  int right = 0, bottom = 0;
  component.left = component.top = std::numeric_limits<int>::max();
  for (const int at : component.pixels) {
    const int x = at % image_width, y = at / image_width;
    component.x += x;
    component.y += y;
    component.left = std::min(component.left, x);
    component.top = std::min(component.top, y);
    right = std::max(right, x);
    bottom = std::max(bottom, y);
  }
  component.x /= static_cast<double>(component.pixels.size());
  component.y /= static_cast<double>(component.pixels.size());
  component.width = right - component.left + 1;
  component.height = bottom - component.top + 1;
  component.mask.assign(static_cast<size_t>(component.width * component.height), 0);
  for (const int at : component.pixels) {
    const int x = at % image_width, y = at / image_width;
    component.radius = std::max(component.radius, std::hypot(x - component.x, y - component.y));
    component.mask[static_cast<size_t>((y - component.top) * component.width + x - component.left)] = 1;
  }
  for (const int at : component.pixels) {
    const int x = at % image_width, y = at / image_width;
    bool inner = true;
    for (int dy = -1; dy <= 1; ++dy) {
      for (int dx = -1; dx <= 1; ++dx) inner = inner && component.Contains(x + dx, y + dy);
    }
    if (inner) component.inner.push_back(at);
  }
}

struct Segments {
  std::vector<Component> components;  // in order of their first pixel, at most kMaxComponents
  int specks = 0;                     // pixels of what is too small for a component
  int first_speck = 0;
};

// Extracts the connected components of one kind. Coloured specks are relabelled as colourless.
void TakeComponents(const RgbImage& image, Ground kind, std::vector<Ground>& ground, Segments& segments) {
  size_t taken = 0;
  for (size_t start = 0; start < ground.size() && taken < kMaxComponents; ++start) {
    if (ground[start] != kind) continue;
    Component component;
    component.coloured = kind == Ground::kColoured;
    component.pixels.push_back(static_cast<int>(start));
    ground[start] = Ground::kTaken;
    for (size_t next = 0; next < component.pixels.size(); ++next) {
      ForNeighbours(component.pixels[next], image.width, image.height, [&](size_t neighbour) {
        if (ground[neighbour] != kind) return;
        ground[neighbour] = Ground::kTaken;
        component.pixels.push_back(static_cast<int>(neighbour));
      });
    }
    if (component.pixels.size() >= kMinPixels) {
      Measure(component, image.width);
      segments.components.push_back(std::move(component));
      ++taken;
    } else if (component.coloured) {
      for (const int at : component.pixels) ground[static_cast<size_t>(at)] = Ground::kColourless;
    } else {
      if (segments.specks == 0) segments.first_speck = static_cast<int>(start);
      segments.specks += static_cast<int>(component.pixels.size());
    }
  }
}

Segments Segment(const RgbImage& image) {
  Segments segments;
  std::vector<Ground> ground = GroundOf(image);
  TakeComponents(image, Ground::kColoured, ground, segments);
  // Colourless pixels that touch a coloured component are its soft edge.
  for (size_t i = 0; i < ground.size(); ++i) {
    if (ground[i] != Ground::kColourless) continue;
    bool edge = false;
    ForNeighbours(static_cast<int>(i), image.width, image.height,
                  [&](size_t neighbour) { edge |= ground[neighbour] == Ground::kTaken; });
    if (edge) ground[i] = Ground::kBackground;
  }
  TakeComponents(image, Ground::kColourless, ground, segments);
  std::sort(segments.components.begin(), segments.components.end(),
            [](const Component& a, const Component& b) { return a.pixels[0] < b.pixels[0]; });
  if (segments.components.size() > kMaxComponents) segments.components.resize(kMaxComponents);
  return segments;
}

// Neither tiny nor a mesh.
bool MayHaveShape(const Component& component) {
  return std::min(component.width, component.height) >= kMinSide &&
         component.inner.size() * kMaxMesh >= component.pixels.size();
}

// The radial outline of a component: coverage along rays from its centroid.
std::vector<float> OutlineOf(const Component& component) {
  std::vector<float> outline;
  outline.reserve(kRays * kRings);
  for (int ray = 0; ray < kRays; ++ray) {
    const double angle = 2 * std::numbers::pi * ray / kRays;
    for (int ring = 0; ring < kRings; ++ring) {
      const double distance = component.radius * (ring + 0.5) / kRings;
      // Four samples per place soften the pixel grid.
      float filled = 0;
      for (const double shift : {-0.25, 0.25}) {
        for (const double turn : {-0.25, 0.25}) {
          const double d = distance + shift * component.radius / kRings;
          const double a = angle + turn * 2 * std::numbers::pi / kRays;
          if (component.Contains(static_cast<int>(std::lround(component.x + d * std::cos(a))),
                                 static_cast<int>(std::lround(component.y + d * std::sin(a))))) {
            filled += 0.25f;
          }
        }
      }
      outline.push_back(filled);
    }
  }
  return outline;
}

// Mean colour of the more saturated half of the pixels: edges are mixed with the background.
std::array<double, 3> MeanColor(const RgbImage& image, const Component& component) {
  std::vector<int> saturations;
  saturations.reserve(component.pixels.size());
  for (const int at : component.pixels)
    saturations.push_back(Saturation(&image.pixels[static_cast<size_t>(at) * 3]));
  std::vector<int> sorted = saturations;
  std::nth_element(sorted.begin(), sorted.begin() + static_cast<long>(sorted.size() / 2), sorted.end());
  const int median = sorted[sorted.size() / 2];
  std::array<double, 3> mean{};
  int counted = 0;
  for (size_t i = 0; i < component.pixels.size(); ++i) {
    if (saturations[i] < median) continue;
    for (size_t c = 0; c < 3; ++c) mean[c] += image.pixels[static_cast<size_t>(component.pixels[i]) * 3 + c];
    ++counted;
  }
  for (double& channel : mean) channel /= counted;
  return mean;
}

// Whether three fifths of a component look like its mean; a texture does not.
bool IsPlain(const RgbImage& image, const Component& component, const std::array<double, 3>& mean) {
  size_t plain = 0;
  for (const int at : component.inner) {
    double difference = 0;
    for (size_t c = 0; c < 3; ++c)
      difference = std::max(difference, std::abs(image.pixels[static_cast<size_t>(at) * 3 + c] - mean[c]));
    plain += difference < kMaxTexture;
  }
  return plain * 5 >= component.inner.size() * 3;
}

}  // namespace

ObjectFinder::ObjectFinder() {
  for (int shape = 0; shape < shapes::kShapeCount; ++shape) {
    for (const double radius : {9.0, 10.5, 12.0}) {
      for (const double shift : {0.0, 0.5}) {
        shapes::Scene scene;
        scene.objects.push_back(
            {.shape = shape, .color = 0, .cell = 0, .x = 32 + shift, .y = 32 + shift, .radius = radius});
        const Segments segments = Segment(shapes::Render(scene));
        if (segments.components.empty()) continue;
        prototypes_.push_back(
            {shapes::kShapeNames[static_cast<size_t>(shape)], OutlineOf(segments.components[0])});
      }
    }
  }
}

std::string ObjectFinder::NearestShape(const std::vector<float>& outline) const {
  float best = std::numeric_limits<float>::max();
  std::string shape;
  for (const Prototype& prototype : prototypes_) {
    float misfit = 0;
    for (size_t i = 0; i < outline.size(); ++i) misfit += std::abs(outline[i] - prototype.outline[i]);
    misfit /= static_cast<float>(outline.size());
    if (misfit < best) {
      best = misfit;
      shape = prototype.shape;
    }
  }
  return best <= kMaxMisfit ? shape : kUnknown;
}

std::vector<SegmentedObject> ObjectFinder::Find(const RgbImage& image) const {
  const Segments segments = Segment(image);
  std::vector<SegmentedObject> found;
  for (const Component& component : segments.components) {
    SegmentedObject object = {.color = kUnknown,
                              .shape = kUnknown,
                              .x = component.x,
                              .y = component.y,
                              .radius = component.radius,
                              .pixels = static_cast<int>(component.pixels.size())};
    const std::array<double, 3> mean = MeanColor(image, component);
    if (IsPlain(image, component, mean)) {
      if (component.coloured)
        object.color = shapes::kColorNames[static_cast<size_t>(NearestColor(mean[0], mean[1], mean[2]))];
      if (MayHaveShape(component)) object.shape = NearestShape(OutlineOf(component));
    }
    found.push_back(std::move(object));
  }
  if (segments.specks >= kMinSpecks) {
    found.push_back({.color = kUnknown,
                     .shape = kUnknown,
                     .x = static_cast<double>(segments.first_speck % image.width),
                     .y = static_cast<double>(segments.first_speck / image.width),
                     .radius = 0,
                     .pixels = segments.specks});
  }
  return found;
}

}  // namespace lvrpo
