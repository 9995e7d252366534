#pragma once

#include <string>

#include "absl/strings/string_view.h"

// EXIF orientation of image files. Damaged EXIF data is treated as absent: no image is refused for it. Pure
// functions, thread-safe.
namespace lvrpo {

// The Orientation tag of a block of EXIF data (a TIFF header and its first directory, "Exif\0\0" in front or
// not): 2 to 8 as in the standard; 1 for an upright image and when there is no valid tag.
int ExifOrientation(absl::string_view block);

// The EXIF block of a JPEG: its first APP1 segment with EXIF data before the pixels. Empty when there is
// none.
absl::string_view JpegExif(absl::string_view file);

// The EXIF block of a PNG: its eXIf chunk, before or after the pixels; without one, the text "Raw profile
// type exif", as ImageMagick writes it in hexadecimal digits. Empty when there is none.
std::string PngExif(absl::string_view file);

}  // namespace lvrpo
