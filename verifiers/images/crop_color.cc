#include "verifiers/images/crop_color.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <utility>
#include <vector>

namespace lvrpo {
namespace {

constexpr double kInner = 0.6;        // of each side of the box
constexpr int kMostSide = 64;         // pixels that vote, of each side
constexpr double kLeastNamed = 0.25;  // of the pixels that vote

using Rgb = uint32_t;  // 0xRRGGBB

struct NamedColor {
  const char* name;  // empty: grey
  std::vector<Rgb> samples;
};

// Sample colours of each name: the pure one, and darker and paler ones that people still call so.
const std::vector<NamedColor>& NamedColors() {
  static const std::vector<NamedColor>& colors = *new std::vector<NamedColor>{
      {"red", {0xDC141E, 0xAA0A14, 0x78000A, 0xF0413C}},
      {"orange", {0xFF8C00, 0xF06E14, 0xFFAA50}},
      {"yellow", {0xFFE600, 0xEBC828, 0xFFF582}},
      {"green", {0x00A032, 0x145A1E, 0x6EC83C, 0x6E8232, 0x96E696, 0x00FF00}},
      {"blue", {0x1446DC, 0x0A196E, 0x3C8CDC, 0x87C8F0, 0x0000FF, 0x00BEDC}},
      {"purple", {0x781EA0, 0x4B146E, 0xA064D2}},
      {"pink", {0xFF69B4, 0xFFB4C8, 0xE6328C}},
      {"brown", {0x784614, 0x502D14, 0xA06E46, 0x643C2D}},
      {"black", {0x000000, 0x232326}},
      {"white", {0xFFFFFF, 0xE8E8E6}},
      {"", {0x5A5A5A, 0x808080, 0xA5A5A5, 0xC3C3C3}},
  };
  return colors;
}

using Lab = std::array<float, 3>;

// Linear value of an 8-bit sRGB value, 0 to 1.
float Linear(Rgb value) {
  static const std::array<float, 256>& table = *new std::array<float, 256>([] {
    std::array<float, 256> made;
    for (int i = 0; i < 256; ++i) {
      const double c = i / 255.0;
      made[static_cast<size_t>(i)] =
          static_cast<float>(c <= 0.04045 ? c / 12.92 : std::pow((c + 0.055) / 1.055, 2.4));
    }
    return made;
  }());
  return table[value];
}

float Compressed(float t) {
  constexpr float kEdge = 6.0f / 29;
  return t > kEdge * kEdge * kEdge ? std::cbrt(t) : t / (3 * kEdge * kEdge) + 4.0f / 29;
}

// CIE 1976 L*a*b* of sRGB, white point D65.
Lab ToLab(Rgb color) {
  const float r = Linear(color >> 16 & 255), g = Linear(color >> 8 & 255), b = Linear(color & 255);
  const float x = Compressed((0.4124f * r + 0.3576f * g + 0.1805f * b) / 0.9505f);
  const float y = Compressed(0.2126f * r + 0.7152f * g + 0.0722f * b);
  const float z = Compressed((0.0193f * r + 0.1192f * g + 0.9505f * b) / 1.089f);
  return {116 * y - 16, 500 * (x - y), 200 * (y - z)};
}

// Index into NamedColors.
size_t NearestName(const Lab& color) {
  using Sample = std::pair<Lab, size_t>;
  static const std::vector<Sample>& samples = *new std::vector<Sample>([] {
    std::vector<Sample> made;
    for (size_t i = 0; i < NamedColors().size(); ++i) {
      for (const Rgb sample : NamedColors()[i].samples) made.emplace_back(ToLab(sample), i);
    }
    return made;
  }());
  float least = std::numeric_limits<float>::max();
  size_t nearest = 0;
  for (const auto& [sample, name] : samples) {
    float distance = 0;
    for (size_t k = 0; k < 3; ++k) distance += (sample[k] - color[k]) * (sample[k] - color[k]);
    if (distance >= least) continue;
    least = distance;
    nearest = name;
  }
  return nearest;
}

// The pixels of one axis that vote; none when the box lies off the image or is not a number.
std::vector<int> Positions(double begin, double end, int side) {
  if (!(begin <= end && end > 0 && begin < side)) return {};
  begin = std::max(begin, 0.0);
  end = std::min(end, static_cast<double>(side));
  const double cut = (end - begin) * (1 - kInner) / 2;
  const int first = std::min(static_cast<int>(begin + cut), side - 1);
  const int last = std::clamp(static_cast<int>(std::ceil(end - cut)) - 1, first, side - 1);
  const int count = std::min(last - first + 1, kMostSide);
  std::vector<int> positions;
  for (int i = 0; i < count; ++i)
    positions.push_back(first + static_cast<int>(static_cast<int64_t>(last - first + 1) * i / count));
  return positions;
}

}  // namespace

std::string CropColor(const RgbImage& image, const Detection& detection) {
  const std::vector<int> rows = Positions(detection.y0, detection.y1, image.height);
  const std::vector<int> columns = Positions(detection.x0, detection.x1, image.width);
  std::map<std::string, size_t> votes;
  size_t named = 0;
  for (const int y : rows) {
    for (const int x : columns) {
      const uint8_t* pixel = &image.pixels[(static_cast<size_t>(y) * image.width + x) * 3];
      const Rgb color = static_cast<Rgb>(pixel[0]) << 16 | static_cast<Rgb>(pixel[1]) << 8 | pixel[2];
      const char* name = NamedColors()[NearestName(ToLab(color))].name;
      if (*name == 0) continue;
      ++votes[name];
      ++named;
    }
  }
  if (named == 0 ||
      static_cast<double>(named) < kLeastNamed * static_cast<double>(rows.size() * columns.size()))
    return "";
  return std::max_element(votes.begin(), votes.end(),
                          [](const auto& a, const auto& b) { return a.second < b.second; })
      ->first;
}

void AddCropColors(const RgbImage& image, std::vector<Detection>* detections) {
  for (Detection& detection : *detections) {
    if (detection.color.empty()) detection.color = CropColor(image, detection);
  }
}

}  // namespace lvrpo
