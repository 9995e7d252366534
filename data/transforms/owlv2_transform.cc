#include "data/transforms/owlv2_transform.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "absl/strings/str_cat.h"

namespace lvrpo {
namespace {

constexpr int kMaxSide = 65535, kMaxTargetSide = 8192;

// The input weights of one output position.
struct Taps {
  int first = 0;
  std::vector<double> weights;
};

// The position in 0 .. length - 1 that mirrors an index beyond the edges.
int64_t Mirrored(int64_t index, int64_t length) {
  if (length == 1) return 0;
  const int64_t period = 2 * (length - 1);
  index = std::abs(index) % period;
  return index < length ? index : period - index;
}

// Half of a Gaussian that sums to 1, from its centre on.
std::vector<double> HalfGaussian(double sigma) {
  std::vector<double> weights = {1.0};
  const int radius = static_cast<int>(4.0 * sigma + 0.5);
  double sum = 1.0;
  for (int x = 1; x <= radius; ++x) {
    weights.push_back(std::exp(-0.5 / (sigma * sigma) * x * x));
    sum += 2 * weights.back();
  }
  for (double& weight : weights) weight /= sum;
  return weights;
}

// Smoothing and linear resampling of one axis together.
std::vector<Taps> AxisTaps(int length, int target) {
  const double factor = static_cast<double>(length) / target;
  const std::vector<double> gaussian = HalfGaussian(std::max(0.0, (factor - 1) / 2));
  const auto radius = static_cast<int64_t>(gaussian.size()) - 1;
  std::vector<Taps> all(static_cast<size_t>(target));
  std::vector<double> line(static_cast<size_t>(length), 0.0);
  for (int out = 0; out < target; ++out) {
    const double at = (out + 0.5) * factor - 0.5, floor = std::floor(at);
    const auto left = static_cast<int64_t>(floor);
    int64_t least = length, greatest = -1;
    for (const int64_t side : {0, 1}) {
      const double share = side == 0 ? 1 - (at - floor) : at - floor;
      const int64_t centre = Mirrored(left + side, length);
      for (int64_t x = -radius; x <= radius; ++x) {
        const int64_t place = Mirrored(centre + x, length);
        line[static_cast<size_t>(place)] += share * gaussian[static_cast<size_t>(std::abs(x))];
        least = std::min(least, place);
        greatest = std::max(greatest, place);
      }
    }
    const auto begin = line.begin() + least, end = line.begin() + greatest + 1;
    all[static_cast<size_t>(out)] = {static_cast<int>(least), {begin, end}};
    std::fill(begin, end, 0.0);
  }
  return all;
}

// The weight of inputs at `length` and beyond, which all have the same value.
double PaddedShare(const Taps& taps, int length) {
  double share = 0;
  for (auto i = static_cast<size_t>(std::max(0, length - taps.first)); i < taps.weights.size(); ++i)
    share += taps.weights[i];
  return share;
}

// How many of the taps are before `length`.
int RealTaps(const Taps& taps, int length) {
  return std::clamp(length - taps.first, 0, static_cast<int>(taps.weights.size()));
}

absl::Status Check(const RgbImage& image, const Owlv2Transform& transform) {
  if (image.width < 1 || image.height < 1 || image.width > kMaxSide || image.height > kMaxSide ||
      image.pixels.size() != static_cast<size_t>(image.width) * static_cast<size_t>(image.height) * 3) {
    return absl::InvalidArgumentError(absl::StrCat("an image of ", image.width, "x", image.height, " with ",
                                                   image.pixels.size(), " bytes; a side must be 1 to ",
                                                   kMaxSide));
  }
  const ImageSize size = transform.size;
  if (size.width < 1 || size.height < 1 || size.width > kMaxTargetSide || size.height > kMaxTargetSide) {
    return absl::InvalidArgumentError(
        absl::StrCat("a size of ", size.width, "x", size.height, "; a side must be 1 to ", kMaxTargetSide));
  }
  if (!std::isfinite(transform.pad_value))
    return absl::InvalidArgumentError(absl::StrCat("the padding's value is ", transform.pad_value));
  return transform.norm.Validate();
}

}  // namespace

absl::StatusOr<PixelPlanes> TransformForOwlv2(const RgbImage& image, const Owlv2Transform& transform) {
  if (absl::Status status = Check(image, transform); !status.ok()) return status;
  const int side = std::max(image.width, image.height), width = image.width;
  const int out_height = transform.size.height, out_width = transform.size.width;
  std::array<float, 256> scaled;
  for (int value = 0; value < 256; ++value)
    scaled[static_cast<size_t>(value)] = static_cast<float>(value * (1.0 / 255));
  const double pad = transform.pad_value;

  const auto [darkest, brightest] = std::minmax_element(image.pixels.begin(), image.pixels.end());
  float least = scaled[*darkest], greatest = scaled[*brightest];
  if (image.width != image.height) {
    least = std::min(least, transform.pad_value);
    greatest = std::max(greatest, transform.pad_value);
  }

  // Vertical pass: [out_height, width, 3]. Everything to the right is padding and stays so.
  const size_t row_values = static_cast<size_t>(width) * 3;
  std::vector<float> columns(static_cast<size_t>(out_height) * row_values);
  const std::vector<Taps> down = AxisTaps(side, out_height), across = AxisTaps(side, out_width);
  std::vector<double> row(row_values);
  for (int y = 0; y < out_height; ++y) {
    const Taps& taps = down[static_cast<size_t>(y)];
    std::fill(row.begin(), row.end(), pad * PaddedShare(taps, image.height));
    for (int i = 0; i < RealTaps(taps, image.height); ++i) {
      const uint8_t* in = image.pixels.data() + static_cast<size_t>(taps.first + i) * row_values;
      const double weight = taps.weights[static_cast<size_t>(i)];
      for (size_t x = 0; x < row_values; ++x) row[x] += weight * scaled[in[x]];
    }
    std::copy(row.begin(), row.end(), columns.begin() + y * static_cast<ptrdiff_t>(row_values));
  }

  PixelPlanes planes{out_height, out_width, {}};
  const size_t plane = static_cast<size_t>(out_height) * static_cast<size_t>(out_width);
  planes.values.resize(3 * plane);
  for (int x = 0; x < out_width; ++x) {
    const Taps& taps = across[static_cast<size_t>(x)];
    const int real = RealTaps(taps, width);
    const double padding = pad * PaddedShare(taps, width);
    for (int y = 0; y < out_height; ++y) {
      std::array<double, 3> sums = {padding, padding, padding};
      const float* in = columns.data() + static_cast<size_t>(y) * row_values +
                        static_cast<size_t>(std::min(taps.first, width)) * 3;
      for (int i = 0; i < real; ++i) {
        const double weight = taps.weights[static_cast<size_t>(i)];
        for (size_t c = 0; c < 3; ++c) sums[c] += weight * in[static_cast<size_t>(i) * 3 + c];
      }
      const size_t at = static_cast<size_t>(y) * static_cast<size_t>(out_width) + static_cast<size_t>(x);
      for (size_t c = 0; c < 3; ++c) {
        const float value = std::clamp(static_cast<float>(sums[c]), least, greatest);
        planes.values[c * plane + at] = (value - transform.norm.mean[c]) / transform.norm.stddev[c];
      }
    }
  }
  return planes;
}

}  // namespace lvrpo
