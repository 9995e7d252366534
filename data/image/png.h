#pragma once

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "data/image/image.h"
#include "data/image/image_grid.h"  // for users of this header that call MakeGrid
#include "data/image/image_limits.h"

// PNG through libpng. Pure functions, thread-safe.
namespace lvrpo {

// Any PNG, with the channels it has: palettes are expanded to RGB, 1, 2 and 4 bit gray to 8 bit, of 16 bits
// the high byte is kept, transparency of a palette entry or a key colour (tRNS) becomes an alpha channel.
// Adam7 files are read; gamma and colour profiles are ignored. Wrong chunk checksums after the header are
// ignored as long as zlib's checksum of the pixels is right, and so is missing or extra data after the last
// pixel. InvalidArgument for other damage and truncated pixels, and for Apple's private form (CgBI), which
// the message names.
absl::StatusOr<Raster> DecodePngRaster(absl::string_view bytes, const ImageLimits& limits = {});

// As RGB, transparency composited on white (data/image/image_file.h has the other policy and the other
// formats).
absl::StatusOr<RgbImage> DecodePng(absl::string_view bytes, const ImageLimits& limits = {});

// Texts of a PNG by keyword (data/image/png_text.h).
using PngText = std::map<std::string, std::string>;

enum class PngEffort {
  kSmall,  // libpng's usual filters and compression
  kFast,   // no filters, low compression: for images sent within a cluster
};
// The same image and texts always give the same bytes. InvalidArgument for an image whose pixels do not fit
// its size, and for texts that a PNG cannot hold.
absl::StatusOr<std::string> EncodePng(const RgbImage& image, const PngText& text = {},
                                      PngEffort effort = PngEffort::kSmall);
absl::Status WritePng(const std::string& path, const RgbImage& image, const PngText& text = {});

}  // namespace lvrpo
