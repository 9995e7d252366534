#include "data/transforms/siglip_transform.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"

namespace lvrpo {
namespace {

constexpr int kMaxSide = 65535;

// The normalised value of every byte in every channel.
using Table = std::array<std::array<float, 256>, 3>;

Table MakeTable(const PixelNorm& norm) {
  Table table;
  for (size_t c = 0; c < 3; ++c) {
    for (int value = 0; value < 256; ++value) {
      const float scaled = static_cast<float>(value * (1.0 / 255));
      table[c][static_cast<size_t>(value)] = (scaled - norm.mean[c]) / norm.stddev[c];
    }
  }
  return table;
}

// A side at this scale, up to the next multiple of the patch size, at least one patch.
int64_t ScaledSide(int side, double scale, int patch_size) {
  const double patches = std::ceil(side * scale / patch_size);
  return std::max<int64_t>(static_cast<int64_t>(patches) * patch_size, patch_size);
}

}  // namespace

absl::Status PixelNorm::Validate() const {
  for (size_t c = 0; c < 3; ++c) {
    if (std::isfinite(mean[c]) && std::isfinite(stddev[c]) && stddev[c] != 0) continue;
    return absl::InvalidArgumentError(absl::StrCat("pixels cannot be normalised by mean ", mean[c],
                                                   " and std ", stddev[c], " of channel ", c));
  }
  return absl::OkStatus();
}

absl::StatusOr<PixelPlanes> TransformForSiglip(const RgbImage& image, const SiglipTransform& transform) {
  if (absl::Status status = transform.norm.Validate(); !status.ok()) return status;
  const absl::StatusOr<RgbImage> resized = Resize(image, transform.size, transform.filter);
  if (!resized.ok()) return resized.status();
  const Table table = MakeTable(transform.norm);
  PixelPlanes planes{resized->height, resized->width, {}};
  const size_t count = resized->pixels.size() / 3;
  planes.values.resize(count * 3);
  for (size_t c = 0; c < 3; ++c) {
    for (size_t i = 0; i < count; ++i) {
      planes.values[c * count + i] = table[c][resized->pixels[i * 3 + c]];
    }
  }
  return planes;
}

absl::StatusOr<ImageSize> NaflexSize(ImageSize image, int patch_size, int max_patches) {
  if (image.width < 1 || image.height < 1 || image.width > kMaxSide || image.height > kMaxSide) {
    return absl::InvalidArgumentError(
        absl::StrCat("an image of ", image.width, "x", image.height, "; a side must be 1 to ", kMaxSide));
  }
  if (patch_size < 1 || patch_size > 1024 || max_patches < 1 || max_patches > 65536) {
    return absl::InvalidArgumentError(absl::StrCat("patches of ", patch_size, " pixels, at most ",
                                                   max_patches,
                                                   " of them; 1 to 1024 and 1 to 65536 are allowed"));
  }
  constexpr double kPrecision = 1e-5;
  double low = kPrecision / 10, high = 100.0;
  const auto size_at = [&](double scale) {
    return std::pair(ScaledSide(image.height, scale, patch_size), ScaledSide(image.width, scale, patch_size));
  };
  while (high - low >= kPrecision) {
    const double scale = (low + high) / 2;
    const auto [height, width] = size_at(scale);
    const bool fits = (height / patch_size) * (width / patch_size) <= max_patches;
    (fits ? low : high) = scale;
  }
  const auto [height, width] = size_at(low);
  return ImageSize{.width = static_cast<int>(width), .height = static_cast<int>(height)};
}

absl::StatusOr<NaflexPatches> TransformForNaflex(const RgbImage& image, const NaflexTransform& transform) {
  if (absl::Status status = transform.norm.Validate(); !status.ok()) return status;
  const int p = transform.patch_size;
  const absl::StatusOr<ImageSize> size = NaflexSize({image.width, image.height}, p, transform.max_patches);
  if (!size.ok()) return size.status();
  const absl::StatusOr<RgbImage> resized = Resize(image, *size, transform.filter);
  if (!resized.ok()) return resized.status();

  const Table table = MakeTable(transform.norm);
  NaflexPatches patches;
  patches.rows = size->height / p;
  patches.columns = size->width / p;
  const size_t row_values = static_cast<size_t>(p) * 3;  // of one patch
  const size_t image_row = static_cast<size_t>(resized->width) * 3;
  patches.values.assign(static_cast<size_t>(transform.max_patches) * row_values * static_cast<size_t>(p),
                        0.0f);
  patches.mask.assign(static_cast<size_t>(transform.max_patches), 0);
  std::fill_n(patches.mask.begin(), patches.rows * patches.columns, 1);
  float* out = patches.values.data();
  for (int row = 0; row < patches.rows; ++row) {
    for (int column = 0; column < patches.columns; ++column) {
      for (int y = 0; y < p; ++y) {
        const uint8_t* in = resized->pixels.data() + static_cast<size_t>(row * p + y) * image_row +
                            static_cast<size_t>(column) * row_values;
        for (size_t i = 0; i < row_values; ++i) *out++ = table[i % 3][in[i]];
      }
    }
  }
  return patches;
}

}  // namespace lvrpo
