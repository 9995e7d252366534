#include "data/image/orientation.h"

#include <cstddef>

namespace lvrpo {

RgbImage Upright(RgbImage image, int orientation) {
  if (orientation < 2 || orientation > 8) return image;
  const bool transposed = orientation >= 5;
  const bool from_right = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool from_below = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  RgbImage upright{transposed ? image.height : image.width, transposed ? image.width : image.height, {}};
  upright.pixels.resize(image.pixels.size());
  uint8_t* to = upright.pixels.data();
  for (int y = 0; y < upright.height; ++y) {
    for (int x = 0; x < upright.width; ++x, to += 3) {
      const int column = transposed ? y : x, row = transposed ? x : y;
      const auto from_x = static_cast<size_t>(from_right ? image.width - 1 - column : column);
      const auto from_y = static_cast<size_t>(from_below ? image.height - 1 - row : row);
      const uint8_t* from = &image.pixels[(from_y * static_cast<size_t>(image.width) + from_x) * 3];
      for (int c = 0; c < 3; ++c) to[c] = from[c];
    }
  }
  return upright;
}

}  // namespace lvrpo
