#include "data/webp.h"

#include <webp/decode.h>
#include <webp/encode.h>

#include <memory>

#include "absl/strings/str_cat.h"

namespace lvrpo {

absl::StatusOr<Raster> DecodeWebp(absl::string_view bytes, const ImageLimits& limits) {
  if (absl::Status status = CheckFileSize("a WebP", bytes.size(), limits); !status.ok()) return status;
  WebPDecoderConfig config;
  if (WebPInitDecoderConfig(&config) == 0) return absl::InternalError("libwebp of another version");
  const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
  if (WebPGetFeatures(data, bytes.size(), &config.input) != VP8_STATUS_OK) {
    return absl::InvalidArgumentError("damaged WebP: its header cannot be read");
  }
  if (absl::Status status = CheckDimensions("a WebP", config.input.width, config.input.height, limits);
      !status.ok()) {
    return status;
  }
  if (config.input.has_animation != 0) {
    return absl::InvalidArgumentError("an animated WebP; only still images are read");
  }
  Raster raster{config.input.width, config.input.height, config.input.has_alpha != 0 ? 4 : 3, {}};
  const size_t row_bytes = static_cast<size_t>(raster.width) * static_cast<size_t>(raster.channels);
  raster.pixels.resize(row_bytes * static_cast<size_t>(raster.height));
  config.output.colorspace = raster.channels == 4 ? MODE_RGBA : MODE_RGB;
  config.output.is_external_memory = 1;  // nothing of the library's to free
  config.output.u.RGBA.rgba = raster.pixels.data();
  config.output.u.RGBA.stride = static_cast<int>(row_bytes);
  config.output.u.RGBA.size = raster.pixels.size();
  const VP8StatusCode code = WebPDecode(data, bytes.size(), &config);
  if (code != VP8_STATUS_OK) {
    return absl::InvalidArgumentError(absl::StrCat("damaged WebP: ", code == VP8_STATUS_NOT_ENOUGH_DATA
                                                                         ? "it ends within its image"
                                                                         : "its image cannot be decoded"));
  }
  return raster;
}

absl::StatusOr<std::string> EncodeWebp(const RgbImage& image, const WebpOptions& options) {
  if (absl::Status status = CheckImage(image); !status.ok()) return status;
  if (image.width > WEBP_MAX_DIMENSION || image.height > WEBP_MAX_DIMENSION) {
    return absl::InvalidArgumentError(absl::StrCat("a WebP has at most ", WEBP_MAX_DIMENSION,
                                                   " pixels a side, not ", image.width, "x", image.height));
  }
  if (!(options.quality >= 0 && options.quality <= 100)) {
    return absl::InvalidArgumentError(absl::StrCat("a WebP's quality is 0 to 100, not ", options.quality));
  }
  uint8_t* bytes = nullptr;
  const int row_bytes = image.width * 3;
  const size_t size =
      options.lossless
          ? WebPEncodeLosslessRGB(image.pixels.data(), image.width, image.height, row_bytes, &bytes)
          : WebPEncodeRGB(image.pixels.data(), image.width, image.height, row_bytes, options.quality, &bytes);
  const std::unique_ptr<uint8_t, void (*)(void*)> owner(bytes, &WebPFree);
  if (size == 0) return absl::InternalError("cannot encode a WebP");
  return std::string(reinterpret_cast<const char*>(bytes), size);
}

}  // namespace lvrpo
