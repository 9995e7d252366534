#pragma once

#include <cstdint>
#include <vector>

namespace lvrpo {

// 8-bit RGB, row-major, channels last: pixels[(y * width + x) * 3 + channel].
struct RgbImage {
  int width = 0;
  int height = 0;
  std::vector<uint8_t> pixels;  // [height, width, 3]
};

// The same with the channels an image file has: 1 gray, 2 gray and alpha, 3 RGB, 4 RGB and alpha. Alpha is
// straight (colours are not multiplied by it); 255 is opaque.
struct Raster {
  int width = 0;
  int height = 0;
  int channels = 0;             // 1 .. 4
  std::vector<uint8_t> pixels;  // [height, width, channels]
};

struct ImageSize {
  int width = 0;
  int height = 0;
  friend bool operator==(const ImageSize&, const ImageSize&) = default;
};

}  // namespace lvrpo
