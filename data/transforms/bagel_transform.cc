#include "data/transforms/bagel_transform.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "data/image/resize.h"

namespace lvrpo {
namespace {

constexpr int kMaxSide = 65535;

struct Sides {
  int64_t width, height;
  int64_t longest() const { return std::max(width, height); }
  int64_t pixels() const { return width * height; }
};

// Halves go to the even neighbour, the default rounding mode.
int64_t Round(double value) { return static_cast<int64_t>(std::nearbyint(value)); }

int64_t ScaleSide(int64_t side, double scale, int stride) {
  const double scaled = static_cast<double>(Round(static_cast<double>(side) * scale));
  return std::max<int64_t>(Round(scaled / stride) * stride, stride);
}

Sides Scale(Sides sides, double scale, int stride) {
  return {ScaleSide(sides.width, scale, stride), ScaleSide(sides.height, scale, stride)};
}

}  // namespace

absl::StatusOr<ImageSize> BagelSize(ImageSize image, const BagelImageRules& rules) {
  if (image.width < 1 || image.height < 1 || image.width > kMaxSide || image.height > kMaxSide) {
    return absl::InvalidArgumentError(
        absl::StrCat("an image of ", image.width, "x", image.height, "; a side must be 1 to ", kMaxSide));
  }
  const auto bad = [](int value) { return value < 1 || value > kMaxSide; };
  if (bad(rules.max_side) || bad(rules.min_side) || bad(rules.stride) || rules.max_pixels < 1 ||
      rules.max_pixels > int64_t{1} << 31) {
    return absl::InvalidArgumentError(absl::StrCat("image rules with max_side ", rules.max_side,
                                                   ", min_side ", rules.min_side, ", stride ", rules.stride,
                                                   ", max_pixels ", rules.max_pixels, ": they must be 1 to ",
                                                   kMaxSide, ", max_pixels to 2^31"));
  }
  Sides sides{image.width, image.height};
  const double max_side = rules.max_side, max_pixels = static_cast<double>(rules.max_pixels);
  double scale = std::min(max_side / static_cast<double>(sides.longest()), 1.0);
  scale = std::max(scale, rules.min_side / static_cast<double>(std::min(sides.width, sides.height)));
  sides = Scale(sides, scale, rules.stride);
  if (sides.pixels() > rules.max_pixels) {
    sides = Scale(sides, max_pixels / static_cast<double>(sides.pixels()), rules.stride);
  }
  if (sides.longest() > rules.max_side) {
    sides = Scale(sides, max_side / static_cast<double>(sides.longest()), rules.stride);
  }
  return ImageSize{static_cast<int>(sides.width), static_cast<int>(sides.height)};
}

absl::StatusOr<RgbImage> ResizeForBagel(const RgbImage& image, const BagelImageRules& rules) {
  const absl::StatusOr<ImageSize> size = BagelSize({image.width, image.height}, rules);
  if (!size.ok()) return size.status();
  return Resize(image, *size, ResizeFilter::kBicubic);
}

absl::StatusOr<PixelPlanes> TransformForBagel(const RgbImage& image, const BagelImageRules& rules,
                                              const PixelNorm& norm) {
  if (absl::Status status = norm.Validate(); !status.ok()) return status;
  const absl::StatusOr<RgbImage> resized = ResizeForBagel(image, rules);
  if (!resized.ok()) return resized.status();
  PixelPlanes planes{resized->height, resized->width, {}};
  const size_t count = resized->pixels.size() / 3;
  planes.values.resize(count * 3);
  for (size_t c = 0; c < 3; ++c) {
    std::array<float, 256> table;
    for (size_t value = 0; value < 256; ++value) {
      table[value] = (static_cast<float>(value) / 255.0f - norm.mean[c]) / norm.stddev[c];
    }
    for (size_t i = 0; i < count; ++i) planes.values[c * count + i] = table[resized->pixels[i * 3 + c]];
  }
  return planes;
}

}  // namespace lvrpo
