#include <filesystem>

#include "absl/strings/str_cat.h"
#include "common/files/file.h"
#include "data/image/image_file.h"
#include "data/tokenizer/hf_tokenizer.h"
#include "data/transforms/owlv2_transform.h"
#include "data/transforms/query_boxes.h"
#include "model/owlv2.h"
#include "model/siglip.h"
#include "tests/parity/parity.h"

namespace lvrpo::parity {
namespace {

torch::Tensor InputIds(const Case& c) { return c.inputs.at("input_ids").to(torch::kInt64); }

// params.tokenizer is a folder of vocab.json and merges.txt.
absl::Status EncodeOp(const Case& c, Report& report) {
  const auto tokenizer =
      HfTokenizer::Load(c.path(c.params.at("tokenizer").get<std::string>()),
                        {.pad_token_is_text = !c.params.value("pad_token_is_special", true)});
  if (!tokenizer.ok()) return tokenizer.status();
  const int32_t length = c.params.at("max_length");
  const HfTokenizer::EncodeOptions options{
      .truncation = HfTokenizer::Truncation{.max_length = length},
      .padding = HfTokenizer::Padding{.length = length, .pad_id = c.params.at("pad_id")}};
  const auto text = ReadFile(c.path("inputs/texts.json"));
  if (!text.ok()) return text.status();
  const nlohmann::json texts = nlohmann::json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (!texts.is_array()) return absl::DataLossError("inputs/texts.json is not a list");
  nlohmann::json got = nlohmann::json::array();
  for (const nlohmann::json& each : texts) {
    const auto ids = (*tokenizer)->Encode(each.get_ref<const std::string&>(), options);
    if (!ids.ok()) return ids.status();
    got.push_back(*ids);
  }
  report.CompareJson("*", got);
  return absl::OkStatus();
}

absl::Status PreprocessOp(const Case& c, Report& report) {
  Owlv2Transform transform;
  transform.size = {.width = c.params.at("width"), .height = c.params.at("height")};
  transform.pad_value = c.params.at("pad_value");
  transform.norm = {c.params.at("mean"), c.params.at("std")};
  for (const std::string file : c.params.at("images")) {
    const auto image = ReadImage(c.path("inputs/" + file), {.alpha = AlphaPolicy::kDrop, .limits = {}});
    if (!image.ok()) return image.status();
    const auto planes = TransformForOwlv2(*image, transform);
    if (!planes.ok()) return planes.status();
    report.Compare(std::filesystem::path(file).stem().string(),
                   torch::tensor(planes->values).view({3, planes->height, planes->width}));
  }
  return absl::OkStatus();
}

absl::Status TextEmbedsOp(const Case& c, Report& report) {
  torch::NoGradGuard no_grad;
  const auto model = LoadModelOf<Owlv2>(c);
  if (!model.ok()) return model.status();
  const torch::Tensor ids = InputIds(c), tokens = model->TextTokens(ids);
  const torch::Tensor pooled = model->PoolText(tokens, ids), projected = model->ProjectText(pooled);
  report.Compare("last_hidden_state", tokens);
  report.Compare("pooled", pooled);
  report.Compare("text_embeds", projected);
  report.Compare("text_embeds_normalized", UnitLength(projected));
  return absl::OkStatus();
}

absl::Status ImageFeaturesOp(const Case& c, Report& report) {
  torch::NoGradGuard no_grad;
  const auto model = LoadModelOf<Owlv2>(c);
  if (!model.ok()) return model.status();
  const torch::Tensor encoded = model->EncodeImage(c.inputs.at("pixel_values"));
  const torch::Tensor normed = model->PostNorm(encoded);
  report.Compare("encoder_output", encoded);
  report.Compare("post_layernorm", normed);
  report.Compare("image_embeds", model->MergeClassToken(normed));
  return absl::OkStatus();
}

absl::Status DetectOp(const Case& c, Report& report) {
  torch::NoGradGuard no_grad;
  const auto model = LoadModelOf<Owlv2>(c);
  if (!model.ok()) return model.status();
  const torch::Tensor &pixels = c.inputs.at("pixel_values"), ids = InputIds(c);
  const int64_t images = pixels.size(0), side = model->config().grid();
  const Owlv2Queries queries = model->Queries(ids.view({images, -1, ids.size(1)}));
  const torch::Tensor image_embeds = model->ImageEmbeds(pixels);
  const Owlv2Prediction got = model->Predict(image_embeds, queries);
  report.Compare("logits", got.logits);
  report.Compare("pred_boxes", got.boxes);
  report.Compare("objectness_logits", got.objectness);
  report.Compare("class_embeds", got.class_embeds);
  report.Compare("class_embeds_raw", got.raw_class_embeds);
  report.Compare("text_embeds", queries.embeds);
  report.Compare("image_embeds", image_embeds.view({images, side, side, -1}));
  report.Compare("box_bias", model->BoxBias());
  return absl::OkStatus();
}

std::span<const float> Floats(const torch::Tensor& contiguous) {
  return {contiguous.const_data_ptr<float>(), static_cast<size_t>(contiguous.numel())};
}

absl::Status PostprocessOp(const Case& c, Report& report) {
  const torch::Tensor logits = c.inputs.at("logits").contiguous(), boxes = c.inputs.at("pred_boxes");
  const auto sizes = c.inputs.find("target_sizes");
  for (int64_t i = 0; i < logits.size(0); ++i) {
    std::optional<ImageSize> image;
    if (sizes != c.inputs.end()) {
      const torch::Tensor size = sizes->second[i].to(torch::kInt32);
      image = {.width = size[1].item<int>(), .height = size[0].item<int>()};
    }
    const auto found =
        FindQueryBoxes(Floats(logits[i]), Floats(boxes[i].contiguous()), static_cast<int>(logits.size(2)),
                       image, {.threshold = c.params.at("threshold")});
    if (!found.ok()) return found.status();
    const auto count = static_cast<int64_t>(found->size());
    const torch::Tensor scores = torch::empty({count}), labels = torch::empty({count}, torch::kInt64),
                        corners = torch::empty({count, 4});
    for (int64_t k = 0; k < count; ++k) {
      const QueryBox& box = (*found)[static_cast<size_t>(k)];
      scores[k] = box.score;
      labels[k] = box.query;
      corners[k] = torch::tensor({box.x0, box.y0, box.x1, box.y1});
    }
    report.Compare(absl::StrCat("scores_", i), scores);
    report.Compare(absl::StrCat("labels_", i), labels);
    report.Compare(absl::StrCat("boxes_", i), corners);
  }
  return absl::OkStatus();
}

}  // namespace

void RegisterOwlv2Ops(Registry& registry) {
  registry["owlv2/encode"] = EncodeOp;
  registry["owlv2/preprocess"] = PreprocessOp;
  registry["owlv2/text_embeds"] = TextEmbedsOp;
  registry["owlv2/image_features"] = ImageFeaturesOp;
  registry["owlv2/detect"] = DetectOp;
  registry["owlv2/postprocess"] = PostprocessOp;
}

}  // namespace lvrpo::parity
