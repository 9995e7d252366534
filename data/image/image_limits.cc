#include "data/image/image_limits.h"

#include "absl/strings/str_cat.h"

namespace lvrpo {

absl::Status CheckFileSize(absl::string_view format, int64_t bytes, const ImageLimits& limits) {
  if (bytes <= limits.max_file_bytes) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(format, " of ", bytes, " bytes; the limit is ", limits.max_file_bytes));
}

absl::Status CheckDimensions(absl::string_view format, int64_t width, int64_t height,
                             const ImageLimits& limits) {
  if (width < 1 || height < 1) {
    return absl::InvalidArgumentError(absl::StrCat(format, " of ", width, "x", height, " pixels is empty"));
  }
  if (width > limits.max_side || height > limits.max_side) {
    return absl::InvalidArgumentError(absl::StrCat(format, " of ", width, "x", height,
                                                   " pixels; the limit is ", limits.max_side, " a side"));
  }
  if (width > limits.max_pixels / height) {
    return absl::InvalidArgumentError(absl::StrCat(format, " of ", width, "x", height,
                                                   " pixels; the limit is ", limits.max_pixels, " in all"));
  }
  return absl::OkStatus();
}

absl::Status CheckImage(const RgbImage& image) {
  if (image.width < 1 || image.height < 1 ||
      image.pixels.size() !=
          size_t{3} * static_cast<size_t>(image.width) * static_cast<size_t>(image.height)) {
    return absl::InvalidArgumentError(absl::StrCat("an image of ", image.width, "x", image.height, " with ",
                                                   image.pixels.size(),
                                                   " pixel bytes: they do not fit its width and height"));
  }
  return absl::OkStatus();
}

}  // namespace lvrpo
