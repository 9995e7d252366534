#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "common/random.h"
#include "data/image/image.h"

// Images made by formula, for tests.
namespace lvrpo {

// Every byte unrelated to the next, the same on every machine. [height, width, channels]
inline std::vector<uint8_t> ScatteredBytes(int width, int height, int channels) {
  std::vector<uint8_t> bytes;
  for (uint32_t i = 0; i < static_cast<uint32_t>(width * height * channels); ++i) {
    bytes.push_back(static_cast<uint8_t>(i * 2654435761u >> 24));
  }
  return bytes;
}

inline RgbImage ScatteredImage(int width, int height) {
  return {width, height, ScatteredBytes(width, height, 3)};
}

inline RgbImage FlatImage(int width, int height, std::array<uint8_t, 3> colour) {
  RgbImage image{width, height, {}};
  for (int i = 0; i < width * height * 3; ++i) image.pixels.push_back(colour[static_cast<size_t>(i % 3)]);
  return image;
}

// Like a photograph: detail at every scale, less of it the finer, colours that vary less than brightness.
inline RgbImage NaturalImage(int width, int height, uint64_t seed) {
  std::vector<double> planes[4];  // brightness, then the difference of each colour
  for (int plane = 0; plane < 4; ++plane) {
    planes[plane].assign(static_cast<size_t>(width * height), 0.0);
    for (int cell = 64; cell >= 1; cell /= 2) {
      const int columns = width / cell + 2, rows = height / cell + 2;
      Random random(StreamSeed(seed, static_cast<uint64_t>(plane * 100 + cell)));
      std::vector<double> knots(static_cast<size_t>(columns * rows));
      for (double& knot : knots) knot = random.Uniform(-1, 1);
      const double size = std::sqrt(cell) * (plane == 0 ? 9 : 2);
      for (int y = 0; y < height; ++y) {
        for (int x = 0; x < width; ++x) {
          const double u = static_cast<double>(x % cell) / cell, v = static_cast<double>(y % cell) / cell;
          const double* knot = &knots[static_cast<size_t>(y / cell * columns + x / cell)];
          planes[plane][static_cast<size_t>(y * width + x)] +=
              size * ((1 - v) * ((1 - u) * knot[0] + u * knot[1]) +
                      v * ((1 - u) * knot[columns] + u * knot[columns + 1]));
        }
      }
    }
  }
  RgbImage image{width, height, {}};
  for (size_t i = 0; i < planes[0].size(); ++i) {
    for (int c = 1; c < 4; ++c) {
      image.pixels.push_back(static_cast<uint8_t>(std::clamp(120 + planes[0][i] + planes[c][i], 0.0, 255.0)));
    }
  }
  return image;
}

// Decibels; infinite for equal images.
inline double Psnr(const RgbImage& a, const RgbImage& b) {
  double sum = 0;
  for (size_t i = 0; i < a.pixels.size(); ++i) {
    const double difference = static_cast<double>(a.pixels[i]) - b.pixels[i];
    sum += difference * difference;
  }
  return 10 * std::log10(255.0 * 255.0 * static_cast<double>(a.pixels.size()) / sum);
}

}  // namespace lvrpo
