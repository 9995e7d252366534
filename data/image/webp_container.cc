#include "data/image/webp_container.h"

#include <cstdint>
#include <optional>

#include "absl/strings/match.h"

namespace lvrpo {
namespace {

constexpr size_t kRiffHeader = 12;  // "RIFF", a size, "WEBP"
constexpr size_t kChunkHeader = 8;  // name, size
constexpr size_t kExtendedBytes = 10;
constexpr size_t kFrameHeader = 16;  // position, size, duration and flags before a frame's chunks
constexpr uint8_t kAnimationFlag = 2, kExifFlag = 8, kAlphaFlag = 16;

// Little-endian; `bytes` has at least `size`.
uint32_t Unsigned(absl::string_view bytes, size_t size) {
  uint32_t value = 0;
  for (size_t i = size; i-- > 0;) value = value << 8 | static_cast<uint8_t>(bytes[i]);
  return value;
}

struct Chunk {
  absl::string_view name, data;
  absl::string_view whole;  // header and data
  bool cut = false;         // the file ends within it
};

// Takes the first chunk off `bytes`.
std::optional<Chunk> TakeChunk(absl::string_view& bytes) {
  if (bytes.size() < kChunkHeader) return std::nullopt;
  const size_t size = Unsigned(bytes.substr(4), 4);
  Chunk chunk;
  chunk.name = bytes.substr(0, 4);
  chunk.data = bytes.substr(kChunkHeader, size);
  chunk.whole = bytes.substr(0, kChunkHeader + chunk.data.size());
  chunk.cut = chunk.data.size() < size;
  bytes.remove_prefix(std::min(bytes.size(), kChunkHeader + size + size % 2));  // data are padded to be even
  return chunk;
}

// The coded picture among these chunks: from an ALPH chunk, if there is one, to the end of VP8 or VP8L.
absl::StatusOr<absl::string_view> CodedImage(absl::string_view chunks) {
  const char* alpha = nullptr;
  for (std::optional<Chunk> chunk; (chunk = TakeChunk(chunks)).has_value();) {
    if (chunk->name == "ALPH" && alpha == nullptr) alpha = chunk->whole.data();
    if (chunk->name != "VP8 " && chunk->name != "VP8L") continue;
    if (chunk->cut) return absl::InvalidArgumentError("damaged WebP: it ends within its image");
    const char* begin = alpha != nullptr && chunk->name == "VP8 " ? alpha : chunk->whole.data();
    return absl::string_view(begin, static_cast<size_t>(chunk->whole.data() + chunk->whole.size() - begin));
  }
  return absl::InvalidArgumentError("damaged WebP: it has no image");
}

}  // namespace

absl::StatusOr<WebpContainer> ParseWebp(absl::string_view file) {
  WebpContainer webp;
  if (file.size() < kRiffHeader) return absl::InvalidArgumentError("damaged WebP: its header cannot be read");
  absl::string_view rest = file.substr(kRiffHeader);
  absl::string_view chunks = rest;
  std::optional<Chunk> chunk = TakeChunk(rest);
  if (!chunk.has_value()) return absl::InvalidArgumentError("damaged WebP: its header cannot be read");
  bool exif = false;
  if (chunk->name == "VP8X") {
    if (chunk->data.size() < kExtendedBytes) {
      return absl::InvalidArgumentError("damaged WebP: its header cannot be read");
    }
    const auto flags = static_cast<uint8_t>(chunk->data[0]);
    webp.extended = true;
    webp.animated = (flags & kAnimationFlag) != 0;
    webp.alpha = (flags & kAlphaFlag) != 0;
    exif = (flags & kExifFlag) != 0;
    webp.canvas = {static_cast<int>(Unsigned(chunk->data.substr(4), 3)) + 1,
                   static_cast<int>(Unsigned(chunk->data.substr(7), 3)) + 1};
    chunks = rest;
  }
  for (absl::string_view bytes = chunks; exif && (chunk = TakeChunk(bytes)).has_value();) {
    if (chunk->name == "EXIF" && !chunk->cut) {
      webp.exif = chunk->data;
      break;
    }
  }
  if (webp.animated) {
    do {
      chunk = TakeChunk(chunks);
    } while (chunk.has_value() && chunk->name != "ANMF");
    if (!chunk.has_value() || chunk->data.size() < kFrameHeader) {
      return absl::InvalidArgumentError("damaged WebP: an animation without a picture");
    }
    webp.left = static_cast<int>(Unsigned(chunk->data, 3)) * 2;
    webp.top = static_cast<int>(Unsigned(chunk->data.substr(3), 3)) * 2;
    webp.frame = {static_cast<int>(Unsigned(chunk->data.substr(6), 3)) + 1,
                  static_cast<int>(Unsigned(chunk->data.substr(9), 3)) + 1};
    chunks = chunk->data.substr(kFrameHeader);
  }
  const absl::StatusOr<absl::string_view> image = CodedImage(chunks);
  if (!image.ok()) return image.status();
  webp.image = *image;
  return webp;
}

}  // namespace lvrpo
