#include "model/owlv2.h"

#include <limits>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "model/weights/load_folder.h"
#include "model/weights/moved.h"
#include "model/weights/random_init.h"

namespace lvrpo {
namespace {

constexpr char kVision[] = "owlv2.vision_model.", kText[] = "owlv2.text_model.";
constexpr char kLayers[] = "encoder.layers.";

// Tensors of contrastive training, and constant buffers that some savers keep.
bool IsUnused(const std::string& name) {
  return name == "owlv2.logit_scale" || name == "owlv2.visual_projection.weight" ||
         absl::EndsWith(name, ".position_ids");
}

void AddNorm(ShapeMap& shapes, const std::string& name, int64_t width) {
  shapes[name + ".weight"] = {width};
  shapes[name + ".bias"] = {width};
}

void AddLinear(ShapeMap& shapes, const std::string& name, int64_t in, int64_t out) {
  shapes[name + ".weight"] = {out, in};
  shapes[name + ".bias"] = {out};
}

void AddTower(ShapeMap& shapes, const std::string& prefix, const Owlv2TowerConfig& tower) {
  for (int64_t i = 0; i < tower.layers; ++i)
    SiglipEncoder::AddLayer(shapes, absl::StrCat(prefix, kLayers, i, "."), tower.width, tower.mlp);
}

SiglipEncoder MakeTower(const TensorMap& tensors, const std::string& prefix, const Owlv2TowerConfig& tower) {
  return SiglipEncoder(tensors, prefix + kLayers, tower.layers, tower.heads, tower.eps, 0, tower.gelu);
}

// x / (|x| + 1e-6) along the last dimension: the class head's unit length.
torch::Tensor NearlyUnitLength(const torch::Tensor& x) { return x / (x.norm(2, -1, true) + 1e-6); }

}  // namespace

ShapeMap Owlv2::ExpectedTensors(const Owlv2Config& c) {
  const int64_t h = c.vision.width, d = c.text.width;
  ShapeMap shapes;
  const std::string vision = kVision, text = kText;
  shapes[vision + "embeddings.class_embedding"] = {h};
  shapes[vision + "embeddings.patch_embedding.weight"] = {h, 3, c.patch_size, c.patch_size};
  shapes[vision + "embeddings.position_embedding.weight"] = {c.patches() + 1, h};
  AddNorm(shapes, vision + "pre_layernorm", h);
  AddTower(shapes, vision, c.vision);
  AddNorm(shapes, vision + "post_layernorm", h);
  shapes[text + "embeddings.token_embedding.weight"] = {c.vocabulary, d};
  shapes[text + "embeddings.position_embedding.weight"] = {c.text_length, d};
  AddTower(shapes, text, c.text);
  AddNorm(shapes, text + "final_layer_norm", d);
  shapes["owlv2.text_projection.weight"] = {c.projection, d};
  AddNorm(shapes, "layer_norm", h);
  AddLinear(shapes, "class_head.dense0", h, d);
  AddLinear(shapes, "class_head.logit_shift", h, 1);
  AddLinear(shapes, "class_head.logit_scale", h, 1);
  for (const auto& [head, outs] : {std::pair("box_head", 4), {"objectness_head", 1}}) {
    AddLinear(shapes, absl::StrCat(head, ".dense0"), h, h);
    AddLinear(shapes, absl::StrCat(head, ".dense1"), h, h);
    AddLinear(shapes, absl::StrCat(head, ".dense2"), h, outs);
  }
  return shapes;
}

TensorMap Owlv2::RandomInit(const Owlv2Config& config, uint64_t seed) {
  return InitByFanIn(ExpectedTensors(config), seed);
}

Owlv2::Owlv2(Owlv2Config config, TensorMap tensors)
    : config_(std::move(config)),
      tensors_(std::move(tensors)),
      vision_(MakeTower(tensors_, kVision, config_.vision)),
      text_(MakeTower(tensors_, kText, config_.text)),
      text_projection_(tensors_, {"owlv2.text_projection"}),
      class_(tensors_, {"class_head.dense0"}),
      shift_and_scale_(tensors_, {"class_head.logit_shift", "class_head.logit_scale"}) {
  const auto head = [&](const std::string& name) {
    const auto dense = [&](int i) { return LinearLayer(tensors_, {absl::StrCat(name, ".dense", i)}); };
    return Head{dense(0), dense(1), dense(2)};
  };
  box_ = head("box_head");
  objectness_ = head("objectness_head");
}

absl::StatusOr<Owlv2> Owlv2::Create(Owlv2Config config, TensorMap tensors, const std::string& source) {
  if (const std::string problem = config.SizeProblem(); !problem.empty())
    return absl::InvalidArgumentError(absl::StrCat(source, ": ", problem));
  std::erase_if(tensors, [](const auto& entry) { return IsUnused(entry.first); });
  if (absl::Status status = CheckWeights(ExpectedTensors(config), tensors, source); !status.ok())
    return status;
  return Owlv2(std::move(config), std::move(tensors));
}

absl::StatusOr<Owlv2> Owlv2::Load(const std::string& folder, const WeightReadOptions& options) {
  return LoadFolder<Owlv2, Owlv2Config>(
      folder, options, [](const Owlv2Config&, StoredWeights& weights) { weights.Drop(IsUnused); });
}

torch::Tensor Owlv2::TextTokens(const torch::Tensor& ids) const {
  const std::string embed = absl::StrCat(kText, "embeddings.");
  const int64_t length = ids.size(1);
  const torch::Tensor x =
      torch::embedding(tensors_.at(embed + "token_embedding.weight"), ids.to(DeviceOf(tensors_))) +
      tensors_.at(embed + "position_embedding.weight").slice(0, 0, length);
  const torch::Tensor causal =
      torch::ones({length, length}, torch::TensorOptions(torch::kBool).device(x.device())).tril();
  return LayerNorm(text_(x, causal), tensors_, absl::StrCat(kText, "final_layer_norm"), config_.text.eps);
}

torch::Tensor Owlv2::PoolText(const torch::Tensor& tokens, const torch::Tensor& text) const {
  const torch::Tensor ids = text.to(DeviceOf(tensors_));
  // argmax may return any of several equal ids; ranking positions in descending order makes it the first.
  const torch::Tensor largest = ids.eq(ids.amax(1, true)).to(torch::kInt64);
  const torch::Tensor rank = torch::arange(ids.size(1), 0, -1, largest.options());
  const torch::Tensor place = (largest * rank).argmax(1);  // [T]
  return tokens.gather(1, place.view({-1, 1, 1}).expand({-1, 1, tokens.size(2)})).squeeze(1);
}

torch::Tensor Owlv2::ProjectText(const torch::Tensor& pooled) const { return text_projection_(pooled); }

Owlv2Queries Owlv2::Queries(const torch::Tensor& ids) const {
  const torch::Tensor rows = ids.flatten(0, 1);  // [B * Q, L]
  const torch::Tensor embeds = ProjectText(PoolText(TextTokens(rows), rows));
  return {.embeds = (embeds / embeds.norm(2, -1, true)).view({ids.size(0), ids.size(1), -1}),
          .real = ids.to(DeviceOf(tensors_)).select(2, 0).gt(0)};
}

torch::Tensor Owlv2::EncodeImage(const torch::Tensor& pixels) const {
  const std::string embed = absl::StrCat(kVision, "embeddings.");
  const torch::Tensor patches = torch::conv2d(
      pixels.to(DeviceOf(tensors_)), tensors_.at(embed + "patch_embedding.weight"), {}, config_.patch_size);
  const torch::Tensor class_token =
      tensors_.at(embed + "class_embedding").expand({pixels.size(0), 1, config_.vision.width});
  const torch::Tensor x = torch::cat({class_token, patches.flatten(2).transpose(1, 2)}, 1) +
                          tensors_.at(embed + "position_embedding.weight");
  return vision_(LayerNorm(x, tensors_, absl::StrCat(kVision, "pre_layernorm"), config_.vision.eps));
}

torch::Tensor Owlv2::PostNorm(const torch::Tensor& tokens) const {
  return LayerNorm(tokens, tensors_, absl::StrCat(kVision, "post_layernorm"), config_.vision.eps);
}

torch::Tensor Owlv2::MergeClassToken(const torch::Tensor& normed) const {
  const int64_t n = normed.size(1) - 1;
  return LayerNorm(normed.narrow(1, 1, n) * normed.narrow(1, 0, 1), tensors_, "layer_norm",
                   config_.vision.eps);
}

torch::Tensor Owlv2::Head::operator()(const torch::Tensor& x) const {
  const auto gelu = [](const torch::Tensor& in) { return Activate(Activation::kExactGelu, in); };
  return dense2(gelu(dense1(gelu(dense0(x)))));
}

torch::Tensor Owlv2::BoxBias() const {
  const int64_t side = config_.grid();
  const auto cells = static_cast<double>(side);
  const auto logit = [](const torch::Tensor& x) { return torch::log(x + 1e-4) - torch::log1p(1e-4 - x); };
  const torch::Tensor corner = torch::arange(1, side + 1, torch::kFloat32) / cells;  // [side]
  const torch::Tensor centre = torch::stack({corner.repeat({side}), corner.repeat_interleave(side)}, 1);
  const torch::Tensor size = torch::full_like(centre, 1.0) / cells;  // [N, 2]
  return torch::cat({logit(centre), logit(size)}, 1);
}

Owlv2Prediction Owlv2::Predict(const torch::Tensor& image_embeds, const Owlv2Queries& queries) const {
  Owlv2Prediction out;
  out.raw_class_embeds = class_(image_embeds);
  out.class_embeds = NearlyUnitLength(out.raw_class_embeds);
  const torch::Tensor cosine =
      torch::matmul(out.class_embeds, NearlyUnitLength(queries.embeds).transpose(1, 2));  // [B, N, Q]
  const std::vector<torch::Tensor> adjust = shift_and_scale_(image_embeds).chunk(2, -1);  // [B, N, 1] each
  out.logits = ((cosine + adjust[0]) * (torch::elu(adjust[1]) + 1)).to(torch::kFloat32);
  out.logits =
      out.logits.masked_fill(queries.real.logical_not().unsqueeze(1), std::numeric_limits<float>::lowest());
  out.boxes = torch::sigmoid(box_(image_embeds) + BoxBias().to(image_embeds.options()));
  out.objectness = objectness_(image_embeds).squeeze(-1);
  return out;
}

}  // namespace lvrpo
