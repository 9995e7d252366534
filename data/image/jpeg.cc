#include "data/image/jpeg.h"

// clang-format off
#include <cstdio>  // jpeglib.h needs FILE and size_t
#include <jpeglib.h>
#include <jerror.h>
// clang-format on

#include <csetjmp>
#include <cstdlib>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace lvrpo {
namespace {

constexpr int kMaxScans = 500;

// Warnings about missing or damaged pixels.
bool IsDamage(int code) {
  switch (code) {
    case JWRN_JPEG_EOF:
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_ARITH_BAD_CODE:
    case JWRN_MUST_RESYNC:
    case JWRN_NOT_SEQUENTIAL:
      return true;
    default:
      return false;
  }
}

// Whether no further scan is missing: all components and, of a progressive file, all bits of every
// coefficient have been sent or are being sent.
bool InLastScan(const jpeg_decompress_struct& jpeg) {
  if (!jpeg.progressive_mode) return jpeg.comps_in_scan == jpeg.num_components;
  for (int component = 0; component < jpeg.num_components; ++component) {
    for (int i = 0; i < DCTSIZE2; ++i) {
      if (jpeg.coef_bits == nullptr || jpeg.coef_bits[component][i] != 0) return false;
    }
  }
  return true;
}

// Whether only little is lost from here on: the last rows of blocks. With four rows or more, the last one is
// little.
bool IsAtItsEnd(const jpeg_decompress_struct& jpeg) {
  const auto rows = static_cast<int>(jpeg.total_iMCU_rows);
  const int left = rows - static_cast<int>(jpeg.input_iMCU_row);
  return IsSmallLoss(left, rows) || (left <= 1 && rows >= 4);
}

// Whether a file can be read in spite of a warning. A missing end marker matters only before the last scan:
// missing pixels give a separate warning.
bool IsHarmless(const jpeg_decompress_struct& jpeg, int code) {
  if (!IsDamage(code)) return true;
  return InLastScan(jpeg) && (code == JWRN_JPEG_EOF || IsAtItsEnd(jpeg));
}

// libjpeg's error handler. libjpeg returns from errors by longjmp: every call into it is made inside Try(),
// and no object with a destructor lives in the frames that are skipped: these functions and Try()'s argument.
struct ErrorManager : jpeg_error_mgr {
  std::jmp_buf jump;
  char message[JMSG_LENGTH_MAX] = "";
  bool reads_pixels = false;  // before that, every warning is an error

  ErrorManager() {
    jpeg_std_error(this);
    error_exit = [](j_common_ptr jpeg) {
      auto* self = static_cast<ErrorManager*>(jpeg->err);
      self->format_message(jpeg, self->message);
      std::longjmp(self->jump, 1);
    };
    emit_message = [](j_common_ptr jpeg, int level) {
      auto* self = static_cast<ErrorManager*>(jpeg->err);
      const bool harmless = self->reads_pixels
                                ? IsHarmless(*reinterpret_cast<j_decompress_ptr>(jpeg), self->msg_code)
                                : !IsDamage(self->msg_code);
      if (level < 0 && !harmless) self->error_exit(jpeg);
    };
    output_message = [](j_common_ptr) {};
  }

  // False when libjpeg gave up; `message` says why.
  template <typename Calls>
  bool Try(Calls calls) {
    if (setjmp(jump) != 0) return false;
    calls();
    return true;
  }
};

struct Progress : jpeg_progress_mgr {
  Progress() {
    progress_monitor = [](j_common_ptr jpeg) {
      if (reinterpret_cast<j_decompress_ptr>(jpeg)->input_scan_number <= kMaxScans) return;
      auto* errors = static_cast<ErrorManager*>(jpeg->err);
      std::snprintf(errors->message, sizeof(errors->message), "more than %d scans", kMaxScans);
      std::longjmp(errors->jump, 1);
    };
  }
};

struct Decoder : jpeg_decompress_struct {
  Decoder() : jpeg_decompress_struct{} {}
  ~Decoder() { jpeg_destroy_decompress(this); }
};

absl::Status Damaged(const ErrorManager& errors) {
  if (errors.msg_code == JERR_SOF_UNSUPPORTED || errors.msg_code == JERR_BAD_PRECISION) {
    return absl::InvalidArgumentError(
        absl::StrCat("a JPEG of a rare kind, lossless or of more than 8 bits, which is not read (",
                     errors.message, "): save it as an ordinary JPEG or as PNG"));
  }
  return absl::InvalidArgumentError(absl::StrCat("damaged JPEG: ", errors.message));
}

// CMYK pixels, stored inverted (255 is no ink), as by Adobe's programs and by others since.
void InksToRgb(const uint8_t* inks, size_t pixels, uint8_t* rgb) {
  for (size_t i = 0; i < pixels; ++i, inks += 4, rgb += 3) {
    for (size_t c = 0; c < 3; ++c) {
      const int light = inks[3], t = (255 - inks[c]) * light + 128;
      rgb[c] = static_cast<uint8_t>(light - (((t >> 8) + t) >> 8));
    }
  }
}

}  // namespace

absl::StatusOr<Raster> DecodeJpeg(absl::string_view bytes, const ImageLimits& limits) {
  if (!absl::StartsWith(bytes, "\xff\xd8\xff")) return absl::InvalidArgumentError("not a JPEG");
  if (absl::Status status = CheckFileSize("a JPEG", bytes.size(), limits); !status.ok()) return status;
  ErrorManager errors;
  Progress progress;
  Decoder jpeg;
  jpeg.err = &errors;
  const bool header = errors.Try([&] {
    jpeg_create_decompress(&jpeg);
    jpeg.progress = &progress;
    jpeg_mem_src(&jpeg, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
    jpeg_read_header(&jpeg, TRUE);
  });
  if (!header) return Damaged(errors);
  if (absl::Status status = CheckDimensions("a JPEG", jpeg.image_width, jpeg.image_height, limits);
      !status.ok()) {
    return status;
  }
  const bool gray = jpeg.jpeg_color_space == JCS_GRAYSCALE;
  const bool inks = jpeg.jpeg_color_space == JCS_CMYK || jpeg.jpeg_color_space == JCS_YCCK;
  if (!gray && !inks && jpeg.jpeg_color_space != JCS_YCbCr && jpeg.jpeg_color_space != JCS_RGB) {
    return absl::InvalidArgumentError(absl::StrCat("a JPEG with ", jpeg.num_components,
                                                   " components, which are not gray, YCbCr, RGB, CMYK or "
                                                   "YCCK: save it as RGB"));
  }

  Raster raster{static_cast<int>(jpeg.image_width), static_cast<int>(jpeg.image_height), gray ? 1 : 3, {}};
  const size_t width = static_cast<size_t>(raster.width);
  const size_t row_bytes = width * static_cast<size_t>(raster.channels);
  raster.pixels.resize(row_bytes * static_cast<size_t>(raster.height));
  std::vector<uint8_t> ink_row(inks ? width * 4 : 0);
  errors.reads_pixels = true;
  const bool pixels = errors.Try([&] {
    jpeg.out_color_space = gray ? JCS_GRAYSCALE : inks ? JCS_CMYK : JCS_RGB;
    jpeg_start_decompress(&jpeg);
    while (jpeg.output_scanline < jpeg.output_height) {
      uint8_t* to = raster.pixels.data() + row_bytes * jpeg.output_scanline;
      JSAMPROW row = inks ? ink_row.data() : to;
      jpeg_read_scanlines(&jpeg, &row, 1);
      if (inks) InksToRgb(ink_row.data(), width, to);
    }
    jpeg_finish_decompress(&jpeg);
  });
  if (!pixels) return Damaged(errors);
  return raster;
}

}  // namespace lvrpo
