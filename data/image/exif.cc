#include "data/image/exif.h"

#include <cstddef>
#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/strip.h"
#include "common/hash.h"
#include "data/image/png_bytes.h"
#include "data/image/png_text.h"

namespace lvrpo {
namespace {

constexpr absl::string_view kExifPrefix("Exif\0\0", 6);
constexpr uint32_t kOrientationTag = 0x0112;

// Numbers of a TIFF block in its byte order; 0 outside of it.
class TiffReader {
 public:
  TiffReader(absl::string_view bytes, bool big_endian) : bytes_(bytes), big_endian_(big_endian) {}

  uint32_t Unsigned(size_t offset, size_t size) const {
    if (offset > bytes_.size() || size > bytes_.size() - offset) return 0;
    uint32_t value = 0;
    for (size_t i = 0; i < size; ++i) {
      value = value << 8 | static_cast<uint8_t>(bytes_[offset + (big_endian_ ? i : size - 1 - i)]);
    }
    return value;
  }

 private:
  absl::string_view bytes_;
  bool big_endian_;
};

// Bytes of one value of a field type that can hold an orientation: BYTE, SHORT, LONG. Otherwise 0.
size_t ValueSize(uint32_t type) {
  switch (type) {
    case 1:
      return 1;
    case 3:
      return 2;
    case 4:
      return 4;
    default:
      return 0;
  }
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// "\nexif\n      74\n4578...": a name, a number of bytes, and the bytes in hexadecimal digits and white
// space.
std::string FromRawProfile(absl::string_view text) {
  for (int line = 0; line < 3; ++line) {
    const size_t end = text.find('\n');
    if (end == absl::string_view::npos) return "";
    text.remove_prefix(end + 1);
  }
  std::string bytes;
  int high = -1;
  for (const char c : text) {
    if (absl::ascii_isspace(static_cast<unsigned char>(c))) continue;
    const int digit = HexDigit(c);
    if (digit < 0) return "";
    if (high < 0) {
      high = digit;
    } else {
      bytes += static_cast<char>(high * 16 + digit);
      high = -1;
    }
  }
  return bytes;
}

}  // namespace

int ExifOrientation(absl::string_view block) {
  while (absl::ConsumePrefix(&block, kExifPrefix)) {
  }
  const bool big_endian = absl::StartsWith(block, "MM");
  if (!big_endian && !absl::StartsWith(block, "II")) return 1;
  const TiffReader tiff(block, big_endian);
  if (tiff.Unsigned(2, 2) != 42) return 1;
  const size_t directory = tiff.Unsigned(4, 4);
  const uint32_t entries = tiff.Unsigned(directory, 2);
  for (uint32_t i = 0; i < entries; ++i) {
    const size_t entry = directory + 2 + size_t{12} * i;
    if (entry + 12 > block.size()) return 1;
    if (tiff.Unsigned(entry, 2) != kOrientationTag) continue;
    const size_t size = ValueSize(tiff.Unsigned(entry + 2, 2));
    const uint32_t count = tiff.Unsigned(entry + 4, 4);
    if (size == 0 || count == 0 || count > 4 / size) return 1;  // the value itself stands in the entry
    const uint32_t value = tiff.Unsigned(entry + 8, size);
    return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

absl::string_view JpegExif(absl::string_view file) {
  size_t at = 2;  // after the start marker
  while (at + 4 <= file.size()) {
    if (file[at] != '\xff') {  // bytes between segments are skipped, as decoders do
      ++at;
      continue;
    }
    const uint8_t marker = static_cast<uint8_t>(file[at + 1]);
    if (marker == 0xff) {  // padding
      ++at;
      continue;
    }
    at += 2;
    if (marker <= 1 || (marker >= 0xd0 && marker <= 0xd8)) continue;  // markers without a segment
    if (marker == 0xda || marker == 0xd9) return "";                  // the pixels, or the end
    const size_t size =
        static_cast<size_t>(static_cast<uint8_t>(file[at])) << 8 | static_cast<uint8_t>(file[at + 1]);
    if (size < 2 || size > file.size() - at) return "";
    const absl::string_view segment = file.substr(at + 2, size - 2);
    if (marker == 0xe1 && absl::StartsWith(segment, kExifPrefix)) return segment;
    at += size;
  }
  return "";
}

std::string PngExif(absl::string_view file) {
  absl::string_view rest = file;
  bool texts = false;
  rest.remove_prefix(std::min(rest.size(), kPngSignature.size()));
  while (rest.size() >= kPngChunkFrame) {
    const size_t size = PngUint32(rest);
    if (size > rest.size() - kPngChunkFrame) break;
    const absl::string_view type = rest.substr(4, 4);
    if (type == "eXIf" && Crc32(rest.substr(4, size + 4)) == PngUint32(rest.substr(8 + size))) {
      return std::string(rest.substr(8, size));
    }
    texts |= type == "tEXt" || type == "zTXt" || type == "iTXt";
    if (type == "IEND") break;
    rest.remove_prefix(kPngChunkFrame + size);
  }
  if (!texts) return "";
  const absl::StatusOr<std::map<std::string, std::string>> read = ReadPngText(file);
  if (!read.ok()) return "";
  const auto profile = read->find("Raw profile type exif");
  return profile == read->end() ? "" : FromRawProfile(profile->second);
}

}  // namespace lvrpo
