#pragma once

#include "data/image/image.h"
#include "proto/lvrpo/v1/reward.pb.h"

namespace lvrpo {

// An image as it travels to reward servers: its pixels, or, with `as_png`, a PNG file of fewer bytes that
// takes time to make. REQUIRES pixels for exactly its size.
v1::RgbImage ToMessage(const RgbImage& image, bool as_png = false);

}  // namespace lvrpo
