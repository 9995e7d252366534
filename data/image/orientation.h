#pragma once

#include "data/image/image.h"

namespace lvrpo {

// Makes an image of EXIF orientation 1 to 8 upright: mirrors it (2, 4), rotates it by 180 degrees (3), 90
// clockwise (6) or counterclockwise (8), or transposes it (5, 7); 5 to 8 swap width and height. Any other
// value leaves it as it is.
RgbImage Upright(RgbImage image, int orientation);

}  // namespace lvrpo
