#include "model/source_image.h"

#include "absl/strings/str_cat.h"
#include "data/prompts/prompts.h"

namespace lvrpo {

absl::StatusOr<RgbImage> ReadSourceImage(const std::string& prompt_file, const v1::PromptRecord& record,
                                         const BagelConfig& model, const DecodeOptions& options) {
  const auto refuse = [&](const auto&... words) {
    return absl::InvalidArgumentError(absl::StrCat("prompt '", record.id(), "': ", words...));
  };
  const std::string path = SourceImagePath(prompt_file, record);
  absl::StatusOr<RgbImage> image = ReadImage(path, options);
  if (!image.ok()) return refuse(image.status().message());
  for (const int side : {image->width, image->height}) {
    if (side % model.vit_patch == 0 && side / model.vit_patch <= model.vit_max_side) continue;
    return refuse(path, " has ", image->width, "x", image->height, " pixels; sides must be multiples of ",
                  model.vit_patch, " up to ", model.vit_patch * model.vit_max_side);
  }
  return image;
}

}  // namespace lvrpo
