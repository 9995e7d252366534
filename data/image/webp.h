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

struct WebpOptions {
  bool lossless = true;
  float quality = 90;  // 0 .. 100; lossy only
};

// InvalidArgument for an image whose pixels do not fit its size, a side above 16383 and a quality out of
// range.
absl::StatusOr<std::string> EncodeWebp(const RgbImage& image, const WebpOptions& options = {});

}  // namespace lvrpo
