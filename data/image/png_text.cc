#include "data/image/png_text.h"

#include <zlib.h>

#include <algorithm>
#include <cstdint>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/hash.h"
#include "common/utf8.h"
#include "data/image/png_bytes.h"

namespace lvrpo {
namespace {

using Texts = std::map<std::string, std::string>;

constexpr int kMaxTexts = 1000;  // of one file

void AppendBigEndian(uint32_t value, std::string& to) {
  for (int shift = 24; shift >= 0; shift -= 8) to += static_cast<char>(value >> shift & 255);
}

void AppendChunk(absl::string_view type, absl::string_view data, std::string& to) {
  const std::string body = absl::StrCat(type, data);
  AppendBigEndian(static_cast<uint32_t>(data.size()), to);
  to += body;
  AppendBigEndian(Crc32(body), to);
}

bool IsAscii(absl::string_view text) {
  for (const char c : text) {
    if (static_cast<uint8_t>(c) > 127) return false;
  }
  return true;
}

bool IsKeyword(absl::string_view key) {
  if (key.empty() || key.size() > 79 || key.front() == ' ' || key.back() == ' ') return false;
  for (size_t i = 0; i < key.size(); ++i) {
    if (key[i] < ' ' || key[i] > '~' || (key[i] == ' ' && key[i - 1] == ' ')) return false;
  }
  return true;
}

std::string FromLatin1(absl::string_view text) {
  std::string utf8;
  for (const char c : text) {
    const uint8_t code = static_cast<uint8_t>(c);
    if (code < 0x80) {
      utf8 += c;
    } else {
      utf8 += static_cast<char>(0xC0 | code >> 6);
      utf8 += static_cast<char>(0x80 | (code & 63));
    }
  }
  return utf8;
}

absl::Status Damaged(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("damaged PNG: ", what));
}

absl::StatusOr<std::string> Inflate(absl::string_view data) {
  // deflate makes a text at most 1032 times shorter.
  std::string text(std::min(kMaxPngTextBytes, data.size() * 1032), '\0');
  uLongf size = text.size();
  if (uncompress(reinterpret_cast<Bytef*>(text.data()), &size, reinterpret_cast<const Bytef*>(data.data()),
                 data.size()) != Z_OK) {
    return Damaged(
        absl::StrCat("a compressed text that cannot be read or has more than ", kMaxPngTextBytes, " bytes"));
  }
  text.resize(size);
  return text;
}

// Splits `data` at the next NUL, which is dropped; false when there is none.
bool TakeString(absl::string_view& data, absl::string_view& string) {
  const size_t end = data.find('\0');
  if (end == absl::string_view::npos) return false;
  string = data.substr(0, end);
  data.remove_prefix(end + 1);
  return true;
}

// Adds the text of one chunk, and its bytes to `total`.
absl::Status ReadText(absl::string_view type, absl::string_view data, Texts& texts, size_t& total) {
  absl::string_view key, language, translated_key;
  if (!TakeString(data, key) || key.empty() || key.size() > 79) return Damaged("a text without a keyword");
  bool compressed = type == "zTXt";
  if (compressed) {
    if (data.empty() || data[0] != 0) return Damaged("a text compressed in an unknown way");
    data.remove_prefix(1);
  } else if (type == "iTXt") {
    if (data.size() < 2 || data[0] < 0 || data[0] > 1) return Damaged("an international text cut short");
    compressed = data[0] == 1;
    if (compressed && data[1] != 0) return Damaged("a text compressed in an unknown way");
    data.remove_prefix(2);
    if (!TakeString(data, language) || !TakeString(data, translated_key)) {
      return Damaged("an international text cut short");
    }
  }
  std::string value(data);
  if (compressed) {
    absl::StatusOr<std::string> inflated = Inflate(data);
    if (!inflated.ok()) return inflated.status();
    value = *std::move(inflated);
  }
  if (type != "iTXt") {
    value = FromLatin1(value);
  } else if (!unicode::IsValidUtf8(value)) {
    return Damaged("an international text that is not UTF-8");
  }
  total += key.size() + value.size();
  texts[FromLatin1(key)] = std::move(value);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> AddPngText(absl::string_view png, const Texts& text) {
  if (!absl::StartsWith(png, kPngSignature) || png.size() < kPngHeaderBytes || png.substr(12, 4) != "IHDR") {
    return absl::InvalidArgumentError("text can only be added to a PNG");
  }
  std::string chunks;
  for (const auto& [key, value] : text) {
    if (!IsKeyword(key)) {
      return absl::InvalidArgumentError(
          absl::StrCat("a PNG text's keyword must be 1 to 79 printable ASCII characters with single spaces "
                       "inside, not one "
                       "of ",
                       key.size(), " bytes as given"));
    }
    if (!unicode::IsValidUtf8(value) || value.find('\0') != std::string::npos) {
      return absl::InvalidArgumentError(
          absl::StrCat("the PNG text '", key, "' must be UTF-8 without a zero byte"));
    }
    if (IsAscii(value)) {
      AppendChunk("tEXt", absl::StrCat(key, absl::string_view("\0", 1), value), chunks);
    } else {  // not compressed, no language, no translated keyword
      AppendChunk("iTXt", absl::StrCat(key, absl::string_view("\0\0\0\0\0", 5), value), chunks);
    }
    if (chunks.size() > kMaxPngTextBytes) {
      return absl::InvalidArgumentError(
          absl::StrCat("PNG texts of more than ", kMaxPngTextBytes, " bytes in all"));
    }
  }
  return absl::StrCat(png.substr(0, kPngHeaderBytes), chunks, png.substr(kPngHeaderBytes));
}

absl::StatusOr<Texts> ReadPngText(absl::string_view png) {
  if (!absl::StartsWith(png, kPngSignature)) return absl::InvalidArgumentError("not a PNG");
  png.remove_prefix(kPngSignature.size());
  Texts texts;
  size_t total = 0;
  int count = 0;
  for (;;) {
    if (png.size() < kPngChunkFrame) return Damaged("it ends before its last chunk");
    const size_t size = PngUint32(png);
    if (size > png.size() - kPngChunkFrame) return Damaged("it ends within a chunk");
    const absl::string_view type = png.substr(4, 4), data = png.substr(8, size);
    if (type == "IEND") return texts;
    if (type == "tEXt" || type == "zTXt" || type == "iTXt") {
      if (Crc32(png.substr(4, size + 4)) != PngUint32(png.substr(8 + size))) {
        return Damaged("a text with a wrong checksum");
      }
      if (absl::Status status = ReadText(type, data, texts, total); !status.ok()) return status;
      if (total > kMaxPngTextBytes || ++count > kMaxTexts) {
        return absl::InvalidArgumentError(absl::StrCat("a PNG with more than ", kMaxPngTextBytes,
                                                       " bytes of text or ", kMaxTexts, " texts"));
      }
    }
    png.remove_prefix(kPngChunkFrame + size);
  }
}

}  // namespace lvrpo
