#include "model/siglip.h"
#include "tests/parity/parity.h"

namespace lvrpo::parity {
namespace {

// Inputs of a vision tower. NaFlex batches are padded: `valid` bool [B, N] says which tokens count, and the
// reference's rows of the others are stored as zeros. At fixed resolution all count and `valid` is undefined.
struct Sight {
  torch::Tensor tokens, valid;
  torch::Tensor columns;  // int64 [B, 1], patches in a row
};

Sight LookAt(const Siglip& model, const Case& c) {
  const torch::Tensor& pixels = c.inputs.at("pixel_values");
  if (!model.config().naflex) {
    return {
        .tokens = model.VisionTokens(pixels),
        .valid = {},
        .columns = torch::full({pixels.size(0), 1}, model.config().grid(), c.options().dtype(torch::kInt64))};
  }
  const torch::Tensor& shapes = c.inputs.at("spatial_shapes");
  const torch::Tensor valid = c.inputs.at("pixel_attention_mask").to(torch::kBool);
  return {.tokens = model.VisionTokens(pixels, valid, shapes),
          .valid = valid,
          .columns = shapes.to(torch::kInt64).narrow(1, 1, 1)};
}

torch::Tensor TextIds(const Case& c) { return c.inputs.at("input_ids").to(torch::kInt64); }

absl::Status ImageFeaturesOp(const Case& c, Report& report) {
  torch::NoGradGuard no_grad;
  const auto model = LoadModelOf<Siglip>(c);
  if (!model.ok()) return model.status();
  const Sight sight = LookAt(*model, c);
  report.Compare("last_hidden_state",
                 sight.valid.defined() ? sight.tokens.masked_fill(sight.valid.logical_not().unsqueeze(2), 0)
                                       : sight.tokens);
  if (model->config().use_head) report.Compare("pooled", model->Pool(sight.tokens, sight.valid));
  return absl::OkStatus();
}

absl::Status TextFeaturesOp(const Case& c, Report& report) {
  torch::NoGradGuard no_grad;
  const auto model = LoadModelOf<Siglip>(c);
  if (!model.ok()) return model.status();
  const torch::Tensor tokens = model->TextTokens(TextIds(c));
  report.Compare("last_hidden_state", tokens);
  report.Compare("pooled", model->PoolText(tokens));
  return absl::OkStatus();
}

absl::Status LogitsOp(const Case& c, Report& report) {
  torch::NoGradGuard no_grad;
  const auto model = LoadModelOf<Siglip>(c);
  if (!model.ok()) return model.status();
  const Sight sight = LookAt(*model, c);
  const torch::Tensor image = UnitLength(model->Pool(sight.tokens, sight.valid));
  const torch::Tensor text = UnitLength(model->Text(TextIds(c)));
  const torch::Tensor logits = torch::matmul(image, text.t()) * model->logit_scale() + model->logit_bias();
  report.Compare("image_embeds", image);
  report.Compare("text_embeds", text);
  report.Compare("logits_per_image", logits);
  report.Compare("probs", torch::sigmoid(logits));
  return absl::OkStatus();
}

// bool [B, R, N]: which tokens lie in each box (int64 [B, R, 4] = y0, x0, y1, x1 in patches, half open).
torch::Tensor InsideBoxes(const torch::Tensor& boxes, const torch::Tensor& columns, int64_t tokens) {
  const torch::Tensor place = torch::arange(tokens, boxes.options()).unsqueeze(0);  // row-major
  const torch::Tensor row = torch::floor_divide(place, columns).unsqueeze(1);       // [B, 1, N]
  const torch::Tensor column = torch::remainder(place, columns).unsqueeze(1);
  const auto side = [&](int64_t i) { return boxes.select(2, i).unsqueeze(2); };  // [B, R, 1]
  return row.ge(side(0))
      .logical_and(column.ge(side(1)))
      .logical_and(row.lt(side(2)))
      .logical_and(column.lt(side(3)));
}

absl::Status DenseGroundingOp(const Case& c, Report& report) {
  torch::NoGradGuard no_grad;
  const auto model = LoadModelOf<Siglip>(c);
  if (!model.ok()) return model.status();
  const Sight sight = LookAt(*model, c);
  const torch::Tensor text = UnitLength(model->Text(TextIds(c)));  // [K, P]
  const torch::Tensor patches = model->DenseTokens(sight.tokens);
  const torch::Tensor map = torch::matmul(UnitLength(patches), text.t()).transpose(1, 2);  // [B, K, N]
  torch::Tensor largest = map;
  if (sight.valid.defined()) {
    const torch::Tensor padding = sight.valid.logical_not();
    report.Compare("patch_embeds", patches.masked_fill(padding.unsqueeze(2), 0));
    report.Compare("map", map.masked_fill(padding.unsqueeze(1), 0));
    largest = map.masked_fill(padding.unsqueeze(1), -1);
  } else {
    report.Compare("patch_embeds", patches);
    report.Compare("map", map);
  }
  largest = largest.amax(2);
  report.Compare("max", largest);
  report.Compare("score", largest.mean(1));

  const torch::Tensor inside =
      InsideBoxes(c.inputs.at("boxes").to(torch::kInt64), sight.columns, sight.tokens.size(1));
  std::vector<torch::Tensor> regions;
  for (int64_t r = 0; r < inside.size(1); ++r) {
    regions.push_back(model->Pool(sight.tokens, inside.select(1, r)));
  }
  const torch::Tensor region_embeds = torch::stack(regions, 1);  // [B, R, D]
  report.Compare("region_embeds", region_embeds);
  report.Compare("region_cos", torch::matmul(UnitLength(region_embeds), text.t()).transpose(1, 2));
  return absl::OkStatus();
}

}  // namespace

void RegisterSiglipOps(Registry& registry) {
  registry["siglip2/image_features"] = ImageFeaturesOp;
  registry["siglip2/text_features"] = TextFeaturesOp;
  registry["siglip2/logits"] = LogitsOp;
  registry["siglip2/dense_grounding"] = DenseGroundingOp;
}

}  // namespace lvrpo::parity
