#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"

// The layout of PNG files, for code that parses their bytes.
namespace lvrpo {

inline constexpr absl::string_view kPngSignature = "\x89PNG\r\n\x1a\n";
inline constexpr size_t kPngChunkFrame = 12;  // length, type and checksum around a chunk's data
inline constexpr size_t kPngHeaderBytes = 8 + kPngChunkFrame + 13;  // signature and IHDR, always first

// Big-endian; `bytes` has at least 4.
inline uint32_t PngUint32(absl::string_view bytes) {
  uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = value << 8 | static_cast<uint8_t>(bytes[i]);
  return value;
}

}  // namespace lvrpo
