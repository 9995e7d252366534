#include "data/png.h"

#include <png.h>

#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/file.h"

namespace lvrpo {

absl::StatusOr<RgbImage> DecodePng(absl::string_view bytes) {
  png_image png = {};
  png.version = PNG_IMAGE_VERSION;
  if (!png_image_begin_read_from_memory(&png, bytes.data(), bytes.size())) {
    return absl::InvalidArgumentError(absl::StrCat("not a readable PNG: ", png.message));
  }
  if (int64_t{png.width} * int64_t{png.height} > kMaxPngPixels) {
    png_image_free(&png);
    return absl::InvalidArgumentError(absl::StrCat(
        "a PNG of ", png.width, "x", png.height, " pixels; the limit is ", kMaxPngPixels, " pixels in all"));
  }
  png.format = PNG_FORMAT_RGB;
  RgbImage image;
  image.width = static_cast<int>(png.width);
  image.height = static_cast<int>(png.height);
  image.pixels.resize(PNG_IMAGE_SIZE(png));
  const png_color white = {255, 255, 255};
  if (!png_image_finish_read(&png, &white, image.pixels.data(), 0, nullptr) || png.warning_or_error > 1) {
    return absl::InvalidArgumentError(absl::StrCat("damaged PNG: ", png.message));
  }
  return image;
}

absl::StatusOr<RgbImage> ReadPng(const std::string& path) {
  absl::StatusOr<std::string> bytes = ReadFile(path);
  if (!bytes.ok()) return bytes.status();
  absl::StatusOr<RgbImage> image = DecodePng(*bytes);
  if (!image.ok()) return absl::InvalidArgumentError(absl::StrCat(path, ": ", image.status().message()));
  return image;
}

absl::StatusOr<std::string> EncodePng(const RgbImage& image) {
  if (image.width < 1 || image.height < 1 ||
      image.pixels.size() !=
          size_t{3} * static_cast<size_t>(image.width) * static_cast<size_t>(image.height)) {
    return absl::InvalidArgumentError("an image's pixels do not fit its width and height");
  }
  png_image png = {};
  png.version = PNG_IMAGE_VERSION;
  png.width = static_cast<png_uint_32>(image.width);
  png.height = static_cast<png_uint_32>(image.height);
  png.format = PNG_FORMAT_RGB;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(png);
  std::string bytes(size, '\0');
  if (!png_image_write_to_memory(&png, bytes.data(), &size, 0, image.pixels.data(), 0, nullptr)) {
    return absl::InternalError(absl::StrCat("cannot encode a PNG: ", png.message));
  }
  bytes.resize(size);
  return bytes;
}

absl::Status WritePng(const std::string& path, const RgbImage& image) {
  absl::StatusOr<std::string> bytes = EncodePng(image);
  if (!bytes.ok()) return bytes.status();
  return WriteFileAtomic(path, *bytes);
}

RgbImage MakeGrid(const std::vector<RgbImage>& images, int columns, int gap, int scale) {
  RgbImage grid;
  if (images.empty()) return grid;
  const int width = images[0].width * scale, height = images[0].height * scale;
  const int rows = (static_cast<int>(images.size()) + columns - 1) / columns;
  grid.width = columns * (width + gap) + gap;
  grid.height = rows * (height + gap) + gap;
  grid.pixels.assign(size_t{3} * static_cast<size_t>(grid.width) * static_cast<size_t>(grid.height), 255);
  for (size_t i = 0; i < images.size(); ++i) {
    const int left = gap + static_cast<int>(i % columns) * (width + gap);
    const int top = gap + static_cast<int>(i / columns) * (height + gap);
    for (int y = 0; y < height; ++y) {
      for (int x = 0; x < width; ++x) {
        const size_t from = (static_cast<size_t>(y / scale) * images[i].width + x / scale) * 3;
        const size_t to = (static_cast<size_t>(top + y) * grid.width + left + x) * 3;
        std::memcpy(&grid.pixels[to], &images[i].pixels[from], 3);
      }
    }
  }
  return grid;
}

}  // namespace lvrpo
