#include "reward_server/scorers/referee_view.h"

#include "absl/strings/str_cat.h"
#include "common/hash.h"
#include "common/json/json_text.h"
#include "data/transforms/siglip_transform.h"
#include "model/weights/moved.h"
#include "reward_server/scorers/fixed_pixels.h"

namespace lvrpo {
namespace {

constexpr size_t kMostRemembered = 65536;  // texts, a few KB each

}  // namespace

RefereeInput RefereeInput::Concat(const std::vector<RefereeInput>& inputs) {
  if (inputs.size() == 1) return inputs[0];
  RefereeInput all;
  std::vector<torch::Tensor> pixels, masks, shapes;
  for (const RefereeInput& input : inputs) {
    pixels.push_back(input.pixels);
    if (input.mask.defined()) {
      masks.push_back(input.mask);
      shapes.push_back(input.shapes);
    }
    all.grids.insert(all.grids.end(), input.grids.begin(), input.grids.end());
  }
  all.pixels = torch::cat(pixels);
  if (!masks.empty()) {
    all.mask = torch::cat(masks);
    all.shapes = torch::cat(shapes);
  }
  return all;
}

absl::StatusOr<RefereeView> RefereeView::Load(const std::string& folder, int max_patches,
                                              torch::Device device) {
  absl::StatusOr<Siglip> model = OnDevice(Siglip::Load(folder), device, folder);
  if (!model.ok()) return model.status();
  const SiglipConfig& config = model->config();
  const ProcessorWants fixed = {
      .types = {"SiglipImageProcessor", "SiglipImageProcessorFast", "SiglipImageProcessorPil"},
      .side = config.image_size};
  const ProcessorWants naflex = {
      .types = {"Siglip2ImageProcessor", "Siglip2ImageProcessorFast", "Siglip2ImageProcessorPil"},
      .patch_size = config.patch_size};
  const absl::StatusOr<ImageProcessor> processor =
      ReadImageProcessor(folder, config.naflex ? naflex : fixed, {.filter = ResizeFilter::kBilinear});
  if (!processor.ok()) return processor.status();
  return RefereeView(*std::move(model), *processor, max_patches);
}

absl::StatusOr<RefereeInput> RefereeView::Read(const std::vector<RgbImage>& images) const {
  const SiglipConfig& config = model_.config();
  RefereeInput input;
  if (config.naflex) {
    const NaflexTransform transform = {.patch_size = static_cast<int>(config.patch_size),
                                       .max_patches = max_patches_,
                                       .filter = processor_.filter,
                                       .norm = processor_.norm};
    std::vector<torch::Tensor> patches, masks;
    std::vector<int64_t> shapes;
    for (const RgbImage& image : images) {
      const absl::StatusOr<NaflexPatches> seen = TransformForNaflex(image, transform);
      if (!seen.ok()) return seen.status();
      patches.push_back(torch::tensor(seen->values).view({max_patches_, -1}));
      masks.push_back(torch::tensor(seen->mask));
      shapes.insert(shapes.end(), {seen->rows, seen->columns});
      input.grids.push_back({seen->rows, seen->columns});
    }
    input.pixels = torch::stack(patches);
    input.mask = torch::stack(masks);
    input.shapes = torch::tensor(shapes, torch::kInt64).view({-1, 2});
    return input;
  }
  const auto side = static_cast<int>(config.image_size), grid = static_cast<int>(config.grid());
  input.grids.assign(images.size(), {grid, grid});
  absl::StatusOr<torch::Tensor> pixels = FixedPixels(images, side, processor_);
  if (!pixels.ok()) return pixels.status();
  input.pixels = *std::move(pixels);
  return input;
}

torch::Tensor RefereeView::Tokens(const RefereeInput& input) const {
  return model_.config().naflex ? model_.VisionTokens(input.pixels, input.mask, input.shapes)
                                : model_.VisionTokens(input.pixels);
}

torch::Tensor RefereeView::Pooled(const RefereeInput& input) const {
  const torch::Tensor keys = input.mask.defined() ? input.mask.to(torch::kBool) : torch::Tensor();
  return UnitLength(model_.Pool(Tokens(input), keys));
}

absl::StatusOr<torch::Tensor> TextVectors::Of(const std::string& text) {
  const auto known = known_.find(text);
  if (known != known_.end()) return known->second;
  const absl::StatusOr<std::vector<int32_t>> ids =
      tokenizer_->EncodeFixed(text, static_cast<int32_t>(model_.config().text_length));
  if (!ids.ok()) return absl::InvalidArgumentError(absl::StrCat("\"", text, "\": ", ids.status().message()));
  const torch::Tensor tokens = torch::tensor(std::vector<int64_t>(ids->begin(), ids->end()), torch::kInt64);
  torch::Tensor vector = UnitLength(model_.Text(tokens.unsqueeze(0))).squeeze(0);
  if (known_.size() >= kMostRemembered) known_.clear();
  known_[text] = vector;
  return vector;
}

std::string RefereeView::Digest() const {
  const std::string model = absl::StrCat(
      processor_.Digest(), "/", Sha256Hex(JsonText(model_.config().ToJson()) + DigestOf(model_.tensors())));
  return model_.config().naflex ? absl::StrCat("naflex/", max_patches_, "/", model)
                                : absl::StrCat("fixed/", model);
}

}  // namespace lvrpo
