#pragma once

#include <string>

#include "absl/strings/string_view.h"

// EXIF data of image files: how a camera was held when it took the picture. What is damaged counts as absent:
// no picture is refused for its EXIF data. Pure functions, thread-safe.
namespace lvrpo {

// The Orientation tag of a block of EXIF data (a TIFF header and its first directory, "Exif\0\0" in front or
// not): 2 to 8 as the standard numbers them, 1 for an upright picture and when nothing valid is said.
int ExifOrientation(absl::string_view block);

// The block of a JPEG: its first APP1 segment of that kind before the pixels. Empty when there is none.
absl::string_view JpegExif(absl::string_view file);

// The block of a PNG: its eXIf chunk, before or after the pixels; without one, the text "Raw profile type
// exif", as ImageMagick writes it in hexadecimal digits. Empty when there is none.
std::string PngExif(absl::string_view file);

}  // namespace lvrpo
