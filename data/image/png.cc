#include "data/image/png.h"

#include <png.h>

#include <csetjmp>
#include <cstring>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/files/file.h"
#include "data/image/image_file.h"
#include "data/image/png_bytes.h"
#include "data/image/png_text.h"

namespace lvrpo {
namespace {

constexpr uint32_t kMaxAncillaryBytes = 1 << 20;  // of one chunk other than the pixels

// libpng returns from errors by longjmp. Every call into it is made inside Try(), and no object with a
// destructor lives in the frames that are skipped: the callbacks below and Try()'s argument.
class Reader {
 public:
  explicit Reader(absl::string_view bytes) : rest_(bytes) {
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, &Reader::Fail, &Reader::Warn);
    if (png_ != nullptr) info_ = png_create_info_struct(png_);
    if (info_ != nullptr) png_set_read_fn(png_, this, &Reader::Read);
  }
  ~Reader() { png_destroy_read_struct(&png_, &info_, nullptr); }
  Reader(const Reader&) = delete;

  bool ready() const { return info_ != nullptr; }
  png_structp png() { return png_; }
  png_infop info() { return info_; }
  const char* message() const { return message_; }
  bool wrong_pixels() const { return wrong_pixels_; }

  // False when libpng gave up; message() says why.
  template <typename Calls>
  bool Try(Calls calls) {
    if (setjmp(jump_) != 0) return false;
    calls();
    return true;
  }

 private:
  [[noreturn]] static void Fail(png_structp png, png_const_charp message) {
    auto* reader = static_cast<Reader*>(png_get_error_ptr(png));
    std::strncpy(reader->message_, message, sizeof(reader->message_) - 1);
    std::longjmp(reader->jump_, 1);
  }
  // Only one warning means wrong pixels: zlib's checksum of them does not match.
  static void Warn(png_structp png, png_const_charp message) {
    if (!absl::StrContains(message, "incorrect data check")) return;
    static_cast<Reader*>(png_get_error_ptr(png))->wrong_pixels_ = true;
  }
  static void Read(png_structp png, png_bytep to, size_t size) {
    auto* reader = static_cast<Reader*>(png_get_io_ptr(png));
    if (size > reader->rest_.size()) png_error(png, "it ends before its last chunk");
    std::memcpy(to, reader->rest_.data(), size);
    reader->rest_.remove_prefix(size);
  }

  absl::string_view rest_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  std::jmp_buf jump_;
  char message_[128] = "";
  bool wrong_pixels_ = false;
};

absl::Status Damaged(const Reader& reader) {
  return absl::InvalidArgumentError(absl::StrCat("damaged PNG: ", reader.message()));
}

}  // namespace

absl::StatusOr<Raster> DecodePngRaster(absl::string_view bytes, const ImageLimits& limits) {
  if (!absl::StartsWith(bytes, kPngSignature)) return absl::InvalidArgumentError("not a PNG");
  if (absl::Status status = CheckFileSize("a PNG", bytes.size(), limits); !status.ok()) return status;
  if (bytes.size() >= 16 && bytes.substr(12, 4) == "CgBI") {
    return absl::InvalidArgumentError(
        "a PNG in Apple's private form for iPhone applications (CgBI), which is not read: turn it back into "
        "a "
        "PNG with `pngcrush -revert-iphone-optimizations`, or take the picture it was made from");
  }
  if (bytes.size() < kPngHeaderBytes || bytes.substr(12, 4) != "IHDR") {
    return absl::InvalidArgumentError("damaged PNG: it ends within its header or has none");
  }
  const uint32_t width = PngUint32(bytes.substr(16)), height = PngUint32(bytes.substr(20));
  if (absl::Status status = CheckDimensions("a PNG", width, height, limits); !status.ok()) return status;

  Reader reader(bytes);
  if (!reader.ready()) return absl::InternalError("libpng cannot start");
  png_structp png = reader.png();
  png_infop info = reader.info();
  size_t channels = 0, row_bytes = 0;
  const bool header = reader.Try([&] {
    png_set_user_limits(png, width, height);
    png_set_chunk_malloc_max(png, kMaxAncillaryBytes);
    // Texts, profiles and the like are skipped unparsed, to reduce the attack surface.
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
    png_set_benign_errors(png, 1);
    png_read_info(png, info);
    const int type = png_get_color_type(png, info);
    if (type == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png);
    if (type == PNG_COLOR_TYPE_GRAY) png_set_expand_gray_1_2_4_to_8(png);
    if (png_get_valid(png, info, PNG_INFO_tRNS) != 0) png_set_tRNS_to_alpha(png);
    if (png_get_bit_depth(png, info) == 16) png_set_strip_16(png);
    png_set_interlace_handling(png);
    png_read_update_info(png, info);
    channels = png_get_channels(png, info);
    row_bytes = png_get_rowbytes(png, info);
  });
  if (!header) return Damaged(reader);
  if (channels < 1 || channels > 4 || row_bytes != channels * width) {
    return absl::InternalError("libpng gives rows of another size than its header says");
  }

  Raster raster{static_cast<int>(width), static_cast<int>(height), static_cast<int>(channels), {}};
  raster.pixels.resize(row_bytes * height);
  std::vector<png_bytep> rows(height);
  for (size_t y = 0; y < height; ++y) rows[y] = raster.pixels.data() + y * row_bytes;
  const bool pixels = reader.Try([&] {
    png_set_crc_action(png, PNG_CRC_QUIET_USE, PNG_CRC_QUIET_USE);  // chunk CRCs; zlib has its own
    png_read_image(png, rows.data());
    png_read_end(png, nullptr);
  });
  // Once all rows are read, later errors are ignored, such as a missing end chunk.
  const bool complete = png_get_current_row_number(png) == height || png_get_current_pass_number(png) == 7;
  if (!pixels && !complete) return Damaged(reader);
  if (reader.wrong_pixels()) {
    return absl::InvalidArgumentError("damaged PNG: the checksum of its pixels does not hold");
  }
  return raster;
}

absl::StatusOr<RgbImage> DecodePng(absl::string_view bytes, const ImageLimits& limits) {
  absl::StatusOr<Raster> raster = DecodePngRaster(bytes, limits);
  if (!raster.ok()) return raster.status();
  return ToRgb(*std::move(raster), AlphaPolicy::kOnWhite);
}

absl::StatusOr<std::string> EncodePng(const RgbImage& image, const PngText& text, PngEffort effort) {
  if (absl::Status status = CheckImage(image); !status.ok()) return status;
  png_image png = {};  // libpng's simple interface, which catches its own errors
  png.version = PNG_IMAGE_VERSION;
  png.width = static_cast<png_uint_32>(image.width);
  png.height = static_cast<png_uint_32>(image.height);
  png.format = PNG_FORMAT_RGB;
  if (effort == PngEffort::kFast) png.flags |= PNG_IMAGE_FLAG_FAST;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(png);
  std::string bytes(size, '\0');
  if (!png_image_write_to_memory(&png, bytes.data(), &size, 0, image.pixels.data(), 0, nullptr)) {
    return absl::InternalError(absl::StrCat("cannot encode a PNG: ", png.message));
  }
  bytes.resize(size);
  if (text.empty()) return bytes;
  return AddPngText(bytes, text);
}

absl::Status WritePng(const std::string& path, const RgbImage& image, const PngText& text) {
  const absl::StatusOr<std::string> bytes = EncodePng(image, text);
  if (!bytes.ok()) return bytes.status();
  return WriteFileAtomic(path, *bytes);
}

}  // namespace lvrpo
