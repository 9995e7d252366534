#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "data/image/image.h"
#include "data/image/image_limits.h"

// WebP through libwebp. Pure functions, thread-safe.
namespace lvrpo {

// Lossy and lossless images, three channels or four; of an animation the first frame, on its whole canvas.
// Data after it is ignored. InvalidArgument for damaged bytes.
absl::StatusOr<Raster> DecodeWebp(absl::string_view bytes, const ImageLimits& limits = {});

}  // namespace lvrpo
