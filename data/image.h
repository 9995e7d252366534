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

}  // namespace lvrpo
