#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "data/image/image.h"
#include "data/image/image_limits.h"

// JPEG through libjpeg-turbo, with its default (accurate) transform and smooth chroma upsampling, as Pillow
// uses it. Other releases of the library may differ by a level or two. Pure functions, thread-safe.
namespace lvrpo {

// Baseline and progressive JPEG: gray gives one channel, YCbCr and RGB give three, CMYK and YCCK too: their
// inks are read as inverted, whatever the file declares, and converted as Pillow does, without a colour
// profile. A file truncated or damaged within its last rows of pixels (a sixteenth, or the last row of blocks
// of four or more) is read, and so is one without an end marker or with trailing data. InvalidArgument for
// other damage, and for a progressive file of more than 500 scans, which would cost hours.
absl::StatusOr<Raster> DecodeJpeg(absl::string_view bytes, const ImageLimits& limits = {});

}  // namespace lvrpo
