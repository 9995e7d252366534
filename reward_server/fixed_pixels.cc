#include "reward_server/fixed_pixels.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/file.h"
#include "common/filesystem.h"
#include "data/siglip_transform.h"
#include "model/autoencoder.h"
#include "model/config_reader.h"

namespace lvrpo {

absl::StatusOr<ResizeFilter> ProcessorFilter(const std::string& folder, ResizeFilter fallback) {
  const std::string path = JoinPath(folder, "preprocessor_config.json");
  if (!Exists(path)) return fallback;
  const absl::StatusOr<nlohmann::json> json = ReadJsonObject(path);
  if (!json.ok()) return json.status();
  const auto resample = json->find("resample");
  if (resample == json->end()) return fallback;
  if (!resample->is_number_integer())
    return absl::DataLossError(absl::StrCat(path, ": resample is no whole number"));
  const absl::StatusOr<ResizeFilter> filter = ResizeFilterByNumber(resample->get<int64_t>());
  if (!filter.ok()) return absl::DataLossError(absl::StrCat(path, ": ", filter.status().message()));
  return filter;
}

absl::StatusOr<torch::Tensor> FixedPixels(const std::vector<RgbImage>& images, int side,
                                          ResizeFilter filter) {
  const bool fit = std::all_of(images.begin(), images.end(), [&](const RgbImage& image) {
    return image.width == side && image.height == side;
  });
  if (fit) return FromRgbImages(images);
  std::vector<torch::Tensor> pixels;
  for (const RgbImage& image : images) {
    const absl::StatusOr<PixelPlanes> planes =
        TransformForSiglip(image, {.size = {side, side}, .filter = filter, .norm = {}});
    if (!planes.ok()) return planes.status();
    pixels.push_back(torch::tensor(planes->values).view({3, side, side}));
  }
  return torch::stack(pixels);
}

}  // namespace lvrpo
