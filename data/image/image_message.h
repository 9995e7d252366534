#pragma once

#include "data/image/image.h"
#include "proto/lvrpo/v1/reward.pb.h"

namespace lvrpo {

// The message in which an image is sent to reward servers: raw pixels, or with `as_png` a PNG, which is
// smaller but takes time to encode. REQUIRES pixels for exactly its size.
v1::RgbImage ToMessage(const RgbImage& image, bool as_png = false);

}  // namespace lvrpo
