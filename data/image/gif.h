#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "data/image/image.h"
#include "data/image/image_limits.h"

namespace lvrpo {

// Decodes the first frame of a GIF with giflib, on its whole canvas: three channels, or four when one of its
// colours is transparent. Interlacing and local palettes are supported. A frame that exceeds the canvas
// enlarges it. Pixels outside the frame are transparent, or have the palette's first colour; without any
// palette, colour indices are gray levels. InvalidArgument for damaged and truncated bytes. Data after the
// first frame is ignored. Pure, thread-safe.
absl::StatusOr<Raster> DecodeGif(absl::string_view bytes, const ImageLimits& limits = {});

}  // namespace lvrpo
