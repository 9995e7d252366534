#pragma once

#include <vector>

#include "data/image/image.h"

namespace lvrpo {

// Places images of one size in rows of `columns`, `gap` white pixels apart, each enlarged `scale` times. All
// three are at least 1, 0 and 1. The first image sets the size; a place whose image differs stays white.
RgbImage MakeGrid(const std::vector<RgbImage>& images, int columns, int gap, int scale);

}  // namespace lvrpo
