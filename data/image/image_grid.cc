#include "data/image/image_grid.h"

#include <algorithm>
#include <cstring>

namespace lvrpo {

RgbImage MakeGrid(const std::vector<RgbImage>& images, int columns, int gap, int scale) {
  RgbImage grid;
  if (images.empty()) return grid;
  columns = std::max(columns, 1);
  gap = std::max(gap, 0);
  scale = std::max(scale, 1);
  const int width = images[0].width * scale, height = images[0].height * scale;
  const int rows = (static_cast<int>(images.size()) + columns - 1) / columns;
  grid.width = columns * (width + gap) + gap;
  grid.height = rows * (height + gap) + gap;
  grid.pixels.assign(size_t{3} * static_cast<size_t>(grid.width) * static_cast<size_t>(grid.height), 255);
  for (size_t i = 0; i < images.size(); ++i) {
    if (images[i].width != images[0].width || images[i].height != images[0].height) continue;
    const int left = gap + static_cast<int>(i % columns) * (width + gap);
    const int top = gap + static_cast<int>(i / columns) * (height + gap);
    for (int y = 0; y < height; ++y) {
      for (int x = 0; x < width; ++x) {
        const size_t from = (static_cast<size_t>(y / scale) * images[i].width + x / scale) * 3;
        const size_t to = (static_cast<size_t>(top + y) * grid.width + left + x) * 3;
        std::memcpy(&grid.pixels[to], &images[i].pixels[from], 3);
      }
    }
  }
  return grid;
}

}  // namespace lvrpo
