#include "data/image/webp.h"

#include <webp/decode.h>

#include <memory>

#include "absl/strings/str_cat.h"
#include "data/image/webp_container.h"

namespace lvrpo {

namespace {

absl::Status Damaged(const char* how) {
  return absl::InvalidArgumentError(absl::StrCat("damaged WebP: ", how));
}

}  // namespace

absl::StatusOr<Raster> DecodeWebp(absl::string_view bytes, const ImageLimits& limits) {
  if (absl::Status status = CheckFileSize("a WebP", bytes.size(), limits); !status.ok()) return status;
  const absl::StatusOr<WebpContainer> webp = ParseWebp(bytes);
  if (!webp.ok()) return webp.status();
  WebPDecoderConfig config;
  if (WebPInitDecoderConfig(&config) == 0) return absl::InternalError("libwebp of another version");
  const auto* data = reinterpret_cast<const uint8_t*>(webp->image.data());
  if (WebPGetFeatures(data, webp->image.size(), &config.input) != VP8_STATUS_OK) {
    return Damaged("its header cannot be read");
  }
  const ImageSize coded{config.input.width, config.input.height};
  const ImageSize canvas = webp->extended ? webp->canvas : coded;
  if (absl::Status status = CheckDimensions("a WebP", canvas.width, canvas.height, limits); !status.ok()) {
    return status;
  }
  if (coded != (webp->animated ? webp->frame : canvas) || webp->left > canvas.width - coded.width ||
      webp->top > canvas.height - coded.height) {
    return Damaged("its image has not the size that its header says");
  }
  const bool alpha = webp->animated ? webp->alpha : webp->alpha || config.input.has_alpha != 0;
  // An animation's first frame may cover a part of the canvas: the rest is transparent, or black without
  // alpha. The frame's alpha is ignored in a file without alpha.
  Raster raster{canvas.width, canvas.height, alpha ? 4 : 3, {}};
  const size_t channels = static_cast<size_t>(raster.channels);
  const size_t row_bytes = static_cast<size_t>(raster.width) * channels;
  raster.pixels.resize(row_bytes * static_cast<size_t>(raster.height));
  const size_t begin =
      static_cast<size_t>(webp->top) * row_bytes + static_cast<size_t>(webp->left) * channels;
  config.output.colorspace = alpha ? MODE_RGBA : MODE_RGB;
  config.output.is_external_memory = 1;  // the caller's buffer: the library frees nothing
  config.output.u.RGBA.rgba = raster.pixels.data() + begin;
  config.output.u.RGBA.stride = static_cast<int>(row_bytes);
  config.output.u.RGBA.size = raster.pixels.size() - begin;
  const VP8StatusCode code = WebPDecode(data, webp->image.size(), &config);
  if (code == VP8_STATUS_NOT_ENOUGH_DATA) return Damaged("it ends within its image");
  if (code != VP8_STATUS_OK) return Damaged("its image cannot be decoded");
  return raster;
}

}  // namespace lvrpo
