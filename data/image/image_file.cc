#include "data/image/image_file.h"

#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/files/file.h"
#include "common/files/filesystem.h"
#include "data/image/exif.h"
#include "data/image/foreign_image.h"
#include "data/image/gif.h"
#include "data/image/jpeg.h"
#include "data/image/orientation.h"
#include "data/image/png.h"
#include "data/image/webp.h"
#include "data/image/webp_container.h"

namespace lvrpo {
namespace {

// value * alpha + 255 * (255 - alpha) over 255, rounded once.
uint8_t OnWhite(int value, int alpha) {
  const int t = value * alpha + 255 * (255 - alpha) + 128;
  return static_cast<uint8_t>(((t >> 8) + t) >> 8);
}

}  // namespace

absl::StatusOr<ImageFormat> RecognizeImage(absl::string_view bytes) {
  if (absl::StartsWith(bytes, "\x89PNG\r\n\x1a\n")) return ImageFormat::kPng;
  if (absl::StartsWith(bytes, "\xff\xd8\xff")) return ImageFormat::kJpeg;
  if (bytes.size() >= 12 && absl::StartsWith(bytes, "RIFF") && bytes.substr(8, 4) == "WEBP") {
    return ImageFormat::kWebp;
  }
  if (absl::StartsWith(bytes, "GIF87a") || absl::StartsWith(bytes, "GIF89a")) return ImageFormat::kGif;
  const std::string name = NameForeignImage(bytes);
  if (bytes.empty()) return absl::InvalidArgumentError("an empty file, no PNG, JPEG, WebP or GIF");
  if (name.empty()) return absl::InvalidArgumentError("not a PNG, JPEG, WebP or GIF file");
  return absl::InvalidArgumentError(absl::StrCat("not a PNG, JPEG, WebP or GIF file but ", name));
}

absl::StatusOr<Raster> DecodeRaster(absl::string_view bytes, const ImageLimits& limits) {
  const absl::StatusOr<ImageFormat> format = RecognizeImage(bytes);
  if (!format.ok()) return format.status();
  switch (*format) {
    case ImageFormat::kPng:
      return DecodePngRaster(bytes, limits);
    case ImageFormat::kJpeg:
      return DecodeJpeg(bytes, limits);
    case ImageFormat::kWebp:
      return DecodeWebp(bytes, limits);
    case ImageFormat::kGif:
      return DecodeGif(bytes, limits);
  }
  return absl::InternalError("an image format without a decoder");
}

int ReadOrientation(absl::string_view bytes) {
  const absl::StatusOr<ImageFormat> format = RecognizeImage(bytes);
  if (!format.ok()) return 1;
  switch (*format) {
    case ImageFormat::kPng:
      return ExifOrientation(PngExif(bytes));
    case ImageFormat::kJpeg:
      return ExifOrientation(JpegExif(bytes));
    case ImageFormat::kWebp: {
      const absl::StatusOr<WebpContainer> webp = ParseWebp(bytes);
      return webp.ok() ? ExifOrientation(webp->exif) : 1;
    }
    case ImageFormat::kGif:
      return 1;
  }
  return 1;
}

RgbImage ToRgb(Raster raster, AlphaPolicy alpha) {
  RgbImage image{raster.width, raster.height, {}};
  if (raster.channels == 3) {
    image.pixels = std::move(raster.pixels);
    return image;
  }
  const size_t count = static_cast<size_t>(raster.width) * static_cast<size_t>(raster.height);
  const size_t channels = static_cast<size_t>(raster.channels);
  const bool has_alpha = channels == 2 || channels == 4;
  image.pixels.resize(count * 3);
  const uint8_t* from = raster.pixels.data();
  uint8_t* to = image.pixels.data();
  for (size_t i = 0; i < count; ++i, from += channels, to += 3) {
    for (size_t c = 0; c < 3; ++c) {
      const uint8_t value = from[channels < 3 ? 0 : c];
      to[c] = has_alpha && alpha == AlphaPolicy::kOnWhite ? OnWhite(value, from[channels - 1]) : value;
    }
  }
  return image;
}

absl::StatusOr<RgbImage> DecodeImage(absl::string_view bytes, const DecodeOptions& options) {
  absl::StatusOr<Raster> raster = DecodeRaster(bytes, options.limits);
  if (!raster.ok()) return raster.status();
  RgbImage image = ToRgb(*std::move(raster), options.alpha);
  return options.upright ? Upright(std::move(image), ReadOrientation(bytes)) : image;
}

absl::StatusOr<RgbImage> ReadImage(const std::string& path, const DecodeOptions& options) {
  const absl::StatusOr<PathKind> kind = KindOf(path);
  if (!kind.ok()) return kind.status();
  if (*kind == PathKind::kOther) {
    return absl::InvalidArgumentError(absl::StrCat(path, " is not a regular file"));  // it may never end
  }
  const absl::StatusOr<int64_t> size = FileSize(path);
  if (size.ok() && *size > options.limits.max_file_bytes) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": an image file of ", *size,
                                                   " bytes; the limit is ", options.limits.max_file_bytes));
  }
  const absl::StatusOr<std::string> bytes = ReadFile(path);
  if (!bytes.ok()) return bytes.status();
  absl::StatusOr<RgbImage> image = DecodeImage(*bytes, options);
  if (!image.ok())
    return absl::Status(image.status().code(), absl::StrCat(path, ": ", image.status().message()));
  return image;
}

}  // namespace lvrpo
