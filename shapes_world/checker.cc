#include "shapes_world/checker.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <functional>

namespace lvrpo::shapes {
namespace {

constexpr int kForegroundDistance = 48;  // largest channel difference from the background, grey levels
constexpr int kMinPixels = 12;
constexpr double kMinOverlap = 0.7;  // intersection over union

struct NamedColor {
  const char* name;
  int r, g, b;
};
// The eight colours of this world; an object gets the nearest.
constexpr std::array<NamedColor, 8> kColors = {{{"red", 220, 40, 40},
                                                {"orange", 245, 140, 20},
                                                {"yellow", 240, 220, 40},
                                                {"green", 40, 160, 60},
                                                {"cyan", 40, 200, 215},
                                                {"blue", 40, 70, 215},
                                                {"purple", 130, 45, 180},
                                                {"pink", 250, 120, 190}}};

// Figures on the unit square, (0, 0) top left: is the point inside?
bool InFigure(int figure, double u, double v) {
  const double x = 2 * u - 1, y = 2 * v - 1;  // -1 .. 1
  switch (figure) {
    case 0:
      return x * x + y * y <= 1;
    case 1:
      return true;
    case 2:
      return std::abs(x) <= v;
    case 3:
      return std::abs(x) <= 0.34 || std::abs(y) <= 0.34;
    case 4: {
      const double square = x * x + y * y;
      return square <= 1 && square >= 0.245;
    }
    default: {
      // Two lobes over a point. The figure spans y from -0.8 to 0.95 and x to +-0.96 of its circumradius.
      const double hx = std::abs(x) * 0.96, hy = -0.8 + v * 1.75;
      const double lobe_x = hx - 0.46, lobe_y = hy + 0.3;
      if (lobe_x * lobe_x + lobe_y * lobe_y <= 0.25) return true;
      return hy >= -0.1 && 0.97 * hx + 0.9 * hy <= 0.855;
    }
  }
}
constexpr std::array<const char*, 6> kFigures = {"circle", "square", "triangle", "cross", "ring", "heart"};

struct Blob {
  std::vector<int> pixels;  // indices y * width + x
  int left = 1 << 20, right = -1, top = 1 << 20, bottom = -1;
};

std::array<int, 3> BorderGrey(const RgbImage& image) {
  std::array<std::vector<uint8_t>, 3> border;
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      if (x > 1 && x < image.width - 2 && y > 1 && y < image.height - 2) continue;
      for (size_t c = 0; c < 3; ++c)
        border[c].push_back(image.pixels[static_cast<size_t>(y * image.width + x) * 3 + c]);
    }
  }
  std::array<int, 3> median{};
  for (size_t c = 0; c < 3; ++c) {
    auto middle = border[c].begin() + static_cast<std::ptrdiff_t>(border[c].size() / 2);
    std::nth_element(border[c].begin(), middle, border[c].end());
    median[c] = *middle;
  }
  return median;
}

std::vector<Blob> FindBlobs(const RgbImage& image) {
  const std::array<int, 3> grey = BorderGrey(image);
  const int total = image.width * image.height;
  std::vector<char> foreground(static_cast<size_t>(total));
  for (int i = 0; i < total; ++i) {
    int distance = 0;
    for (size_t c = 0; c < 3; ++c) {
      distance = std::max(distance, std::abs(image.pixels[static_cast<size_t>(i) * 3 + c] - grey[c]));
    }
    foreground[static_cast<size_t>(i)] = distance > kForegroundDistance;
  }
  std::vector<Blob> blobs;
  std::vector<int> stack;
  for (int start = 0; start < total; ++start) {
    if (!foreground[static_cast<size_t>(start)]) continue;
    Blob blob;
    stack.assign(1, start);
    foreground[static_cast<size_t>(start)] = 0;
    while (!stack.empty()) {
      const int at = stack.back();
      stack.pop_back();
      blob.pixels.push_back(at);
      const int x = at % image.width, y = at / image.width;
      blob.left = std::min(blob.left, x);
      blob.right = std::max(blob.right, x);
      blob.top = std::min(blob.top, y);
      blob.bottom = std::max(blob.bottom, y);
      const auto visit = [&](int nx, int ny) {
        if (nx < 0 || ny < 0 || nx >= image.width || ny >= image.height) return;
        char& mark = foreground[static_cast<size_t>(ny * image.width + nx)];
        if (!mark) return;
        mark = 0;
        stack.push_back(ny * image.width + nx);
      };
      visit(x - 1, y);
      visit(x + 1, y);
      visit(x, y - 1);
      visit(x, y + 1);
    }
    if (static_cast<int>(blob.pixels.size()) >= kMinPixels) blobs.push_back(std::move(blob));
  }
  return blobs;
}

std::string ColorOf(const RgbImage& image, const Blob& blob) {
  // Median per channel: the antialiased rim does not count.
  std::array<int, 3> median{};
  for (size_t c = 0; c < 3; ++c) {
    std::vector<uint8_t> values;
    for (const int at : blob.pixels) values.push_back(image.pixels[static_cast<size_t>(at) * 3 + c]);
    auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    median[c] = *middle;
  }
  const auto nearest =
      std::min_element(kColors.begin(), kColors.end(), [&](const NamedColor& a, const NamedColor& b) {
        const auto distance = [&](const NamedColor& n) {
          return (n.r - median[0]) * (n.r - median[0]) + (n.g - median[1]) * (n.g - median[1]) +
                 (n.b - median[2]) * (n.b - median[2]);
        };
        return distance(a) < distance(b);
      });
  return nearest->name;
}

std::string ShapeOf(const RgbImage& image, const Blob& blob) {
  const int width = blob.right - blob.left + 1, height = blob.bottom - blob.top + 1;
  if (std::min(width, height) * 10 < std::max(width, height) * 7) return "unknown";
  if (std::min(width, height) < 10) return "unknown";
  std::vector<char> inside(static_cast<size_t>(width * height));
  for (const int at : blob.pixels) {
    inside[static_cast<size_t>((at / image.width - blob.top) * width + at % image.width - blob.left)] = 1;
  }
  double best = 0;
  size_t best_figure = 0;
  for (size_t figure = 0; figure < kFigures.size(); ++figure) {
    int both = 0, either = 0;
    for (int y = 0; y < height; ++y) {
      for (int x = 0; x < width; ++x) {
        const bool want = InFigure(static_cast<int>(figure), (x + 0.5) / width, (y + 0.5) / height);
        const bool have = inside[static_cast<size_t>(y * width + x)];
        both += want && have;
        either += want || have;
      }
    }
    const double overlap = static_cast<double>(both) / either;
    if (overlap > best) {
      best = overlap;
      best_figure = figure;
    }
  }
  return best >= kMinOverlap ? kFigures[best_figure] : "unknown";
}

bool Holds(const std::string& relation, const SegmentedShape& a, const SegmentedShape& b) {
  const double dx = a.x - b.x, dy = a.y - b.y, length = std::hypot(dx, dy);
  if (length == 0) return false;
  if (relation == "left of") return dx / length < -0.5;
  if (relation == "right of") return dx / length > 0.5;
  if (relation == "above") return dy / length < -0.5;
  if (relation == "below") return dy / length > 0.5;
  return false;
}

// Can every requested object be assigned a distinct found shape so that attributes and relations hold?
bool CanSatisfy(const v1::Constraints& asked, const std::vector<SegmentedShape>& found) {
  std::vector<int> wanted;  // constraint index of each asked object
  for (int i = 0; i < asked.objects_size(); ++i)
    wanted.insert(wanted.end(), static_cast<size_t>(asked.objects(i).count()), i);
  std::vector<int> chosen(wanted.size(), -1);
  std::vector<char> used(found.size());
  std::function<bool(size_t)> assign = [&](size_t next) {
    if (next == wanted.size()) {
      for (const v1::RelationConstraint& relation : asked.relations()) {
        for (size_t a = 0; a < wanted.size(); ++a) {
          for (size_t b = 0; b < wanted.size(); ++b) {
            if (wanted[a] != relation.subject() || wanted[b] != relation.object()) continue;
            if (!Holds(relation.relation(), found[static_cast<size_t>(chosen[a])],
                       found[static_cast<size_t>(chosen[b])])) {
              return false;
            }
          }
        }
      }
      return true;
    }
    const v1::ObjectConstraint& want = asked.objects(wanted[next]);
    for (size_t i = 0; i < found.size(); ++i) {
      if (used[i]) continue;
      if (!want.shape().empty() && want.shape() != found[i].shape) continue;
      if (!want.color().empty() && want.color() != found[i].color) continue;
      used[i] = 1;
      chosen[next] = static_cast<int>(i);
      if (assign(next + 1)) return true;
      used[i] = 0;
    }
    return false;
  };
  return assign(0);
}

}  // namespace

std::vector<SegmentedShape> SegmentShapes(const RgbImage& image) {
  std::vector<SegmentedShape> found;
  for (const Blob& blob : FindBlobs(image)) {
    found.push_back({.shape = ShapeOf(image, blob),
                     .color = ColorOf(image, blob),
                     .x = (blob.left + blob.right) / 2.0,
                     .y = (blob.top + blob.bottom) / 2.0});
  }
  return found;
}

CheckResult Check(const RgbImage& image, const v1::PromptRecord& prompt) {
  CheckResult result;
  result.objects = SegmentShapes(image);
  int asked = 0;
  for (const v1::ObjectConstraint& object : prompt.constraints().objects()) asked += object.count();
  result.presence_only = CanSatisfy(prompt.constraints(), result.objects);
  result.correct = result.presence_only && static_cast<int>(result.objects.size()) == asked;
  return result;
}

}  // namespace lvrpo::shapes
