#pragma once

#include "data/image/image.h"

namespace lvrpo {

// The picture as it is seen upright, of one whose EXIF orientation is 1 to 8: mirrored (2, 4), turned by half
// a turn (3), a quarter to the right (6) or to the left (8), or by a quarter and mirrored (5, 7), where width
// and height change places. Any other number leaves it as it is.
RgbImage Upright(RgbImage image, int orientation);

}  // namespace lvrpo
