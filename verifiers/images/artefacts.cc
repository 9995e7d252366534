#include "verifiers/images/artefacts.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

namespace lvrpo {
namespace {

constexpr int kLongestPeriod = 16;  // pixels
constexpr int kLeastSpacing = 3;    // bins between two multiples, so that there are others between them
constexpr double kStandsOutBy = 2;  // times the energy of adjacent bins

// Lines of equal length, contiguous.
struct Lines {
  int count = 0, length = 0;
  std::vector<float> values;  // [count, length]
};

float Brightness(const RgbImage& image, int x, int y) {
  const uint8_t* pixel =
      &image.pixels[(static_cast<size_t>(y) * static_cast<size_t>(image.width) + static_cast<size_t>(x)) * 3];
  return 0.299f * pixel[0] + 0.587f * pixel[1] + 0.114f * pixel[2];
}

// Longest period that a line of `side` pixels can show, 0 when there is none.
int LongestPeriod(int side) {
  for (int period = kLongestPeriod; period >= 2; period /= 2) {
    if (side / period >= kLeastSpacing) return period;
  }
  return 0;
}

// Differences to the next pixel along x (or y), the last to the first, of the first `length` pixels.
Lines DifferencesAlong(bool x_axis, const RgbImage& image, int length) {
  Lines lines = {x_axis ? image.height : image.width, length, {}};
  lines.values.reserve(static_cast<size_t>(lines.count) * static_cast<size_t>(length));
  for (int line = 0; line < lines.count; ++line) {
    for (int i = 0; i < length; ++i) {
      const int next = (i + 1) % length;
      lines.values.push_back(x_axis ? Brightness(image, next, line) - Brightness(image, i, line)
                                    : Brightness(image, line, next) - Brightness(image, line, i));
    }
  }
  return lines;
}

// Energy at `bin` cycles a line, both signs of the frequency, such that all bins add up to the sum of
// squares.
double EnergyAt(int bin, const Lines& lines) {
  std::vector<float> wave_cos(static_cast<size_t>(lines.length)), wave_sin(wave_cos.size());
  for (size_t i = 0; i < wave_cos.size(); ++i) {
    const double angle = 2 * std::numbers::pi * bin * static_cast<double>(i) / lines.length;
    wave_cos[i] = static_cast<float>(std::cos(angle));
    wave_sin[i] = static_cast<float>(std::sin(angle));
  }
  double energy = 0;
  for (int line = 0; line < lines.count; ++line) {
    const float* values = &lines.values[static_cast<size_t>(line) * wave_cos.size()];
    float real = 0, imaginary = 0;
    for (size_t i = 0; i < wave_cos.size(); ++i) {
      real += values[i] * wave_cos[i];
      imaginary += values[i] * wave_sin[i];
    }
    energy += static_cast<double>(real) * real + static_cast<double>(imaginary) * imaginary;
  }
  return energy * (2 * bin == lines.length ? 1 : 2) / lines.length;
}

struct Energy {
  double grid = 0, all = 0;
};

Energy Measure(const Lines& lines, int period) {
  Energy energy;
  for (const float value : lines.values) energy.all += static_cast<double>(value) * value;
  if (energy.all <= 0) return energy;
  const int spacing = lines.length / period, highest = lines.length / 2;
  for (int bin = spacing; bin <= highest; bin += spacing) {
    double around = 0;
    int count = 0;
    for (const int neighbour : {bin - 1, bin + 1}) {
      if (neighbour < 1 || neighbour > highest) continue;
      around += EnergyAt(neighbour, lines);
      ++count;
    }
    // The highest bin holds one sign of the frequency, its neighbour two.
    around /= count * (bin == highest ? 2 : 1);
    energy.grid += std::max(0.0, EnergyAt(bin, lines) - kStandsOutBy * around);
  }
  return energy;
}

}  // namespace

double GridArtefacts(const RgbImage& image) {
  Energy sum;
  for (const bool x_axis : {true, false}) {
    const int side = x_axis ? image.width : image.height;
    const int period = LongestPeriod(side);
    if (period == 0) continue;
    const Energy energy = Measure(DifferencesAlong(x_axis, image, side / period * period), period);
    sum.grid += energy.grid;
    sum.all += energy.all;
  }
  return sum.all <= 0 ? 0 : std::min(1.0, sum.grid / sum.all);
}

}  // namespace lvrpo
