#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "data/image/image.h"
#include "data/image/image_limits.h"

namespace lvrpo {

// The first picture of a GIF through giflib, on its whole canvas: three channels, or four when a colour of it
// is transparent. Interlaced pictures and local palettes are read. A picture that reaches beyond the
// canvas enlarges it. What it does not cover is transparent, or has the palette's first colour; without any
// palette, numbers of colours are levels of gray. InvalidArgument for damaged and truncated bytes. What
// follows the first picture is not looked at. Pure, thread-safe.
absl::StatusOr<Raster> DecodeGif(absl::string_view bytes, const ImageLimits& limits = {});

}  // namespace lvrpo
