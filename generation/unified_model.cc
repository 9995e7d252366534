#include "generation/unified_model.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "data/transforms/bagel_transform.h"
#include "model/bagel_folder.h"
#include "model/weights/moved.h"

namespace lvrpo {
namespace {

// The released model's rules, with sides cut to what this model's position table covers.
BagelImageRules RulesFor(const BagelImageRules& released, int64_t stride, int64_t table_side) {
  BagelImageRules rules = released;
  rules.stride = static_cast<int>(stride);
  rules.max_side = static_cast<int>(std::min<int64_t>(released.max_side, stride * table_side));
  rules.min_side = std::min(released.min_side, rules.max_side);
  return rules;
}

torch::Tensor ToTensor(const PixelPlanes& planes) {
  return torch::tensor(planes.values).view({1, 3, planes.height, planes.width});
}

}  // namespace

absl::Status UnifiedModel::CheckRoom(const KvCache& context, int64_t tokens) const {
  const int64_t have = context.length(), most = bagel.config().max_positions;
  if (have + tokens <= most) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("the context would grow to ", have + tokens,
                                                 " tokens, and the model takes ", most,
                                                 ": shorten the prompt, or use fewer or smaller images"));
}

absl::Status UnifiedModel::AppendTokens(KvCache& context, const std::vector<int32_t>& ids) const {
  if (absl::Status status = CheckRoom(context, static_cast<int64_t>(ids.size()) + 2); !status.ok())
    return status;
  torch::NoGradGuard no_grad;
  bagel.AppendPrompt(context, ids);
  return absl::OkStatus();
}

absl::Status UnifiedModel::AppendText(KvCache& context, absl::string_view text) const {
  absl::StatusOr<std::vector<int32_t>> ids = tokenizer->Encode(text);
  if (!ids.ok()) return ids.status();
  if (ids->empty()) return absl::InvalidArgumentError("the text is empty: there is nothing to go by");
  const auto outside = std::find_if(ids->begin(), ids->end(),
                                    [&](int32_t id) { return id < 0 || id >= bagel.config().vocabulary; });
  if (outside != ids->end()) {
    return absl::InvalidArgumentError(absl::StrCat("the tokenizer gives the token ", *outside,
                                                   ", and the model knows ", bagel.config().vocabulary,
                                                   ": do they belong together?"));
  }
  return AppendTokens(context, *ids);
}

absl::Status UnifiedModel::AppendImage(KvCache& context, const RgbImage& image) const {
  const BagelConfig& config = bagel.config();
  const absl::StatusOr<PixelPlanes> planes =
      TransformForBagel(image, RulesFor(kBagelVitRules, config.vit_patch, config.vit_max_side));
  if (!planes.ok()) return planes.status();
  const int64_t patches = (planes->height / config.vit_patch) * (planes->width / config.vit_patch);
  if (absl::Status status = CheckRoom(context, patches + 2); !status.ok()) return status;
  torch::NoGradGuard no_grad;
  bagel.AppendImage(context, ToTensor(*planes));
  return absl::OkStatus();
}

absl::Status UnifiedModel::AppendLatents(KvCache& context, const RgbImage& image, ImageSize& size) const {
  const absl::StatusOr<PixelPlanes> planes =
      TransformForBagel(image, RulesFor(kBagelAutoencoderRules, stride(), bagel.config().max_latent_side));
  if (!planes.ok()) return planes.status();
  size = {planes->width, planes->height};
  const int64_t rows = planes->height / stride(), columns = planes->width / stride();
  if (absl::Status status = CheckRoom(context, rows * columns + 2); !status.ok()) return status;
  torch::NoGradGuard no_grad;
  const torch::Tensor latent = autoencoder->Normalize(autoencoder->Encode(ToTensor(*planes)).mean);
  bagel.AppendLatents(context, Patchify(latent, bagel.config().latent_patch), rows, columns);
  return absl::OkStatus();
}

absl::StatusOr<UnifiedModel> LoadUnifiedModel(const std::string& folder, torch::Dtype dtype,
                                              torch::Device device, bool with_autoencoder) {
  absl::StatusOr<std::unique_ptr<Tokenizer>> tokenizer = LoadTokenizer(folder);
  if (!tokenizer.ok()) return tokenizer.status();
  absl::StatusOr<Bagel> bagel = OnDevice(Bagel::Load(folder, {.dtype = dtype}), device, folder);
  if (!bagel.ok()) return bagel.status();
  UnifiedModel model{*std::move(bagel), std::nullopt, *std::move(tokenizer)};
  if (!with_autoencoder) return model;
  absl::StatusOr<Autoencoder> autoencoder = LoadAutoencoder(folder, model.bagel.config().autoencoder, device);
  if (!autoencoder.ok()) return autoencoder.status();
  model.autoencoder = *std::move(autoencoder);
  return model;
}

}  // namespace lvrpo
