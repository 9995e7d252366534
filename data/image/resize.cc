#include "data/image/resize.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace lvrpo {
namespace {

constexpr int kFractionBits = 22;  // of a weight: 8 bits of pixel and 2 of overshoot make 32
constexpr int32_t kHalf = 1 << (kFractionBits - 1);
constexpr double kPi = 3.14159265358979323846;

double Triangle(double x) { return std::max(1.0 - std::abs(x), 0.0); }

// Keys' cubic with a = -1/2.
double Cubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
  if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * a;
  return 0.0;
}

double Sinc(double x) {
  if (x == 0.0) return 1.0;
  x *= kPi;
  return std::sin(x) / x;
}

double Lanczos(double x) { return -3.0 <= x && x < 3.0 ? Sinc(x) * Sinc(x / 3) : 0.0; }

// The inputs of one output position in a row or column.
struct Window {
  int first = 0;      // input position of the first weight
  int count = 0;      // weights
  size_t weight = 0;  // index of the first one in Windows::weights
};

struct Windows {
  std::vector<Window> at;  // one an output position
  std::vector<int32_t> weights;
};

Windows MakeWindows(int in, int out, ResizeFilter filter) {
  double (*const function)(double) = filter == ResizeFilter::kBilinear  ? Triangle
                                     : filter == ResizeFilter::kBicubic ? Cubic
                                                                        : Lanczos;
  const double scale = static_cast<double>(in) / out, stretch = std::max(scale, 1.0);
  const double radius = (filter == ResizeFilter::kBilinear  ? 1.0
                         : filter == ResizeFilter::kBicubic ? 2.0
                                                            : 3.0) *
                        stretch;
  Windows windows;
  windows.at.resize(static_cast<size_t>(out));
  std::vector<double> weights;
  for (int i = 0; i < out; ++i) {
    const double center = (i + 0.5) * scale;
    const int first = std::max(static_cast<int>(center - radius + 0.5), 0);
    const int end = std::min(static_cast<int>(center + radius + 0.5), in);
    weights.clear();
    double sum = 0;
    for (int k = first; k < end; ++k) {
      weights.push_back(function((k - center + 0.5) * (1.0 / stretch)));
      sum += weights.back();
    }
    windows.at[static_cast<size_t>(i)] = {first, end - first, windows.weights.size()};
    for (double weight : weights) {
      if (sum != 0.0) weight /= sum;
      const double fixed = weight * (1 << kFractionBits);
      windows.weights.push_back(static_cast<int32_t>(weight < 0 ? fixed - 0.5 : fixed + 0.5));
    }
  }
  return windows;
}

uint8_t ToByte(int32_t sum) { return static_cast<uint8_t>(std::clamp(sum >> kFractionBits, 0, 255)); }

// [height, in width, C] -> [height, out width, C].
template <int C>
void ResizeRows(const uint8_t* in, int in_width, int height, const Windows& windows, uint8_t* out) {
  for (int y = 0; y < height; ++y, in += static_cast<size_t>(in_width) * C) {
    for (const Window& window : windows.at) {
      const uint8_t* pixel = in + static_cast<size_t>(window.first) * C;
      const int32_t* weight = windows.weights.data() + window.weight;
      std::array<int32_t, C> sum;
      sum.fill(kHalf);
      for (int k = 0; k < window.count; ++k, pixel += C) {
        for (int c = 0; c < C; ++c) sum[c] += pixel[c] * weight[k];
      }
      for (int c = 0; c < C; ++c) *out++ = ToByte(sum[c]);
    }
  }
}

// [in height, row_bytes] -> [out height, row_bytes], a block of columns at a time so that the accumulators
// stay in L1.
void ResizeColumns(const uint8_t* in, size_t row_bytes, const Windows& windows, uint8_t* out) {
  constexpr size_t kColumns = 1024;
  std::array<int32_t, kColumns> sum;
  for (const Window& window : windows.at) {
    const int32_t* weight = windows.weights.data() + window.weight;
    for (size_t left = 0; left < row_bytes; left += kColumns) {
      const size_t columns = std::min(kColumns, row_bytes - left);
      std::fill_n(sum.begin(), columns, kHalf);
      const uint8_t* row = in + static_cast<size_t>(window.first) * row_bytes + left;
      for (int k = 0; k < window.count; ++k, row += row_bytes) {
        for (size_t i = 0; i < columns; ++i) sum[i] += row[i] * weight[k];
      }
      for (size_t i = 0; i < columns; ++i) out[left + i] = ToByte(sum[i]);
    }
    out += row_bytes;
  }
}

using Bytes = std::vector<uint8_t>;

// Columns go first where that removes far more rows than columns.
bool ColumnsFirst(ImageSize from, ImageSize to) {
  return to.height < from.height && from.height - to.height > 2 * (int64_t{from.width} - to.width);
}

Bytes ResizeWidth(const Bytes& pixels, int channels, ImageSize from, int width, ResizeFilter filter) {
  Bytes result(static_cast<size_t>(from.height) * static_cast<size_t>(width) * static_cast<size_t>(channels));
  const auto resize = channels == 1   ? ResizeRows<1>
                      : channels == 2 ? ResizeRows<2>
                      : channels == 3 ? ResizeRows<3>
                                      : ResizeRows<4>;
  resize(pixels.data(), from.width, from.height, MakeWindows(from.width, width, filter), result.data());
  return result;
}

Bytes ResizeHeight(const Bytes& pixels, int channels, ImageSize from, int height, ResizeFilter filter) {
  const size_t row_bytes = static_cast<size_t>(from.width) * static_cast<size_t>(channels);
  Bytes result(static_cast<size_t>(height) * row_bytes);
  ResizeColumns(pixels.data(), row_bytes, MakeWindows(from.height, height, filter), result.data());
  return result;
}

// The sizes differ.
Bytes ResizeSmooth(const Bytes& pixels, int channels, ImageSize from, ImageSize to, ResizeFilter filter) {
  if (from.width == to.width) return ResizeHeight(pixels, channels, from, to.height, filter);
  if (from.height == to.height) return ResizeWidth(pixels, channels, from, to.width, filter);
  if (ColumnsFirst(from, to)) {
    const Bytes columns = ResizeHeight(pixels, channels, from, to.height, filter);
    return ResizeWidth(columns, channels, {from.width, to.height}, to.width, filter);
  }
  const Bytes rows = ResizeWidth(pixels, channels, from, to.width, filter);
  return ResizeHeight(rows, channels, {to.width, from.height}, to.height, filter);
}

// Input position of every output position.
std::vector<size_t> NearestPositions(int in, int out) {
  const double scale = static_cast<double>(in) / out;
  std::vector<size_t> positions;
  positions.reserve(static_cast<size_t>(out));
  double position = scale * 0.5;
  for (int i = 0; i < out; ++i, position += scale) {
    positions.push_back(static_cast<size_t>(std::min(static_cast<int>(position), in - 1)));
  }
  return positions;
}

Bytes ResizeNearest(const Bytes& pixels, int channels, ImageSize from, ImageSize to) {
  const size_t size = static_cast<size_t>(channels), row_bytes = static_cast<size_t>(from.width) * size;
  Bytes result(static_cast<size_t>(to.height) * static_cast<size_t>(to.width) * size);
  const std::vector<size_t> columns = NearestPositions(from.width, to.width);
  uint8_t* out = result.data();
  for (const size_t y : NearestPositions(from.height, to.height)) {
    for (const size_t x : columns) {
      const uint8_t* pixel = pixels.data() + y * row_bytes + x * size;
      out = std::copy(pixel, pixel + size, out);
    }
  }
  return result;
}

absl::Status Check(const Bytes& pixels, int channels, ImageSize from, ImageSize to) {
  if (channels < 1 || channels > 4 || from.width < 1 || from.height < 1 ||
      pixels.size() != static_cast<size_t>(from.width) * static_cast<size_t>(from.height) *
                           static_cast<size_t>(channels)) {
    return absl::InvalidArgumentError(absl::StrCat("an image of ", from.width, "x", from.height, " with ",
                                                   channels, " channels and ", pixels.size(),
                                                   " pixel bytes: they do not fit"));
  }
  // The intermediate image is never larger than the larger of input and result.
  if (to.width < 1 || to.height < 1 || to.width > kMaxResizedSide || to.height > kMaxResizedSide ||
      from.width > kMaxResizedSide || from.height > kMaxResizedSide ||
      int64_t{to.width} * to.height > kMaxResizedPixels) {
    return absl::InvalidArgumentError(absl::StrCat("cannot resize ", from.width, "x", from.height, " to ",
                                                   to.width, "x", to.height, ": a side must be 1 to ",
                                                   kMaxResizedSide, ", and the result at most ",
                                                   kMaxResizedPixels, " pixels"));
  }
  return absl::OkStatus();
}

absl::StatusOr<Bytes> ResizeBytes(const Bytes& pixels, int channels, ImageSize from, ImageSize to,
                                  ResizeFilter filter) {
  if (absl::Status status = Check(pixels, channels, from, to); !status.ok()) return status;
  if (from == to) return pixels;
  if (filter == ResizeFilter::kNearest) return ResizeNearest(pixels, channels, from, to);
  return ResizeSmooth(pixels, channels, from, to, filter);
}

}  // namespace

absl::StatusOr<ResizeFilter> ResizeFilterByNumber(int64_t resample) {
  switch (resample) {
    case 0:
      return ResizeFilter::kNearest;
    case 1:
      return ResizeFilter::kLanczos;
    case 2:
      return ResizeFilter::kBilinear;
    case 3:
      return ResizeFilter::kBicubic;
    default:
      return absl::InvalidArgumentError(
          absl::StrCat("no resize filter has the number ", resample,
                       "; there are 0 (nearest), 1 (lanczos), 2 (bilinear) and 3 (bicubic)"));
  }
}

absl::StatusOr<RgbImage> Resize(const RgbImage& image, ImageSize size, ResizeFilter filter) {
  absl::StatusOr<Bytes> pixels = ResizeBytes(image.pixels, 3, {image.width, image.height}, size, filter);
  if (!pixels.ok()) return pixels.status();
  return RgbImage{size.width, size.height, *std::move(pixels)};
}

absl::StatusOr<Raster> Resize(const Raster& image, ImageSize size, ResizeFilter filter) {
  absl::StatusOr<Bytes> pixels =
      ResizeBytes(image.pixels, image.channels, {image.width, image.height}, size, filter);
  if (!pixels.ok()) return pixels.status();
  return Raster{size.width, size.height, image.channels, *std::move(pixels)};
}

}  // namespace lvrpo
