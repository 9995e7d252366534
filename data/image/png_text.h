#pragma once

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

// Text chunks of PNG files (PNG specification 11.3.4): keyword -> UTF-8 value. They record an image's origin
// without changing a pixel. Pure functions, thread-safe.
namespace lvrpo {

inline constexpr size_t kMaxPngTextBytes = size_t{1} << 20;  // all keywords and values of a file together

// The file with these texts inserted after its header, ASCII values as tEXt and others as iTXt. Keywords are
// 1 to 79 printable ASCII characters without a space at either end or two in a row; values are UTF-8 without
// NUL. InvalidArgument otherwise, and when `png` does not begin with a PNG header.
absl::StatusOr<std::string> AddPngText(absl::string_view png, const std::map<std::string, std::string>& text);

// Every text of the file, tEXt (from Latin-1), zTXt and iTXt, compressed or not. Of a repeated keyword the
// last text is kept. InvalidArgument for a truncated file, a chunk with a wrong checksum, a damaged text
// chunk and more text than kMaxPngTextBytes. Pixels are not decoded.
absl::StatusOr<std::map<std::string, std::string>> ReadPngText(absl::string_view png);

}  // namespace lvrpo
