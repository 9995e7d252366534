#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "data/image.h"

namespace lvrpo {

inline constexpr int64_t kMaxPngPixels = int64_t{1}
                                         << 26;  // dimensions are checked before anything is decoded

// PNG of any kind as 8-bit RGB; transparency is composited on white. InvalidArgument for damaged bytes.
absl::StatusOr<RgbImage> DecodePng(absl::string_view bytes);
absl::StatusOr<RgbImage> ReadPng(const std::string& path);

absl::StatusOr<std::string> EncodePng(const RgbImage& image);
absl::Status WritePng(const std::string& path, const RgbImage& image);

// Places images of one size in rows of `columns`, `gap` white pixels apart, each enlarged `scale` times.
RgbImage MakeGrid(const std::vector<RgbImage>& images, int columns, int gap, int scale);

}  // namespace lvrpo
