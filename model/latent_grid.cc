#include "model/latent_grid.h"

#include "absl/strings/str_cat.h"

namespace lvrpo {

absl::StatusOr<LatentGrid> LatentGridOf(int64_t width, int64_t height, const BagelConfig& model) {
  const int64_t stride = model.latent_stride(), longest = model.longest_image_side();
  for (const int64_t side : {width, height}) {
    if (side >= stride && side <= longest && side % stride == 0) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "images of ", width, "x", height, " pixels: this model generates sides that are multiples of ",
        stride, " up to ", longest));
  }
  return LatentGrid{.height = height / stride, .width = width / stride};
}

}  // namespace lvrpo
