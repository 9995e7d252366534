#pragma once

#include <vector>

#include "data/image/image.h"

namespace lvrpo {

// Arranges images of one size in rows of `columns`, `gap` white pixels apart, each enlarged `scale` times (at
// least 1, 0 and 1). The first image sets the size; the cell of an image of another size stays white.
RgbImage MakeGrid(const std::vector<RgbImage>& images, int columns, int gap, int scale);

}  // namespace lvrpo
