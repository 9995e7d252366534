#include "data/image/image_message.h"

#include "absl/status/statusor.h"
#include "data/image/png.h"

namespace lvrpo {

v1::RgbImage ToMessage(const RgbImage& image, bool as_png) {
  v1::RgbImage message;
  if (as_png) {
    message.set_png(EncodePng(image, {}, PngEffort::kFast).value());
    return message;
  }
  message.set_width(image.width);
  message.set_height(image.height);
  message.set_pixels(image.pixels.data(), image.pixels.size());
  return message;
}

}  // namespace lvrpo
