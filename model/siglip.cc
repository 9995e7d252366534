#include "model/siglip.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "model/config/tower_settings.h"
#include "model/layers/siglip_encoder.h"
#include "model/weights/load_folder.h"
#include "model/weights/moved.h"
#include "model/weights/random_init.h"

namespace lvrpo {
namespace {

constexpr int64_t kWidest = int64_t{1} << 20;

// Constant buffers that some savers keep.
bool IsUnused(const std::string& name) { return absl::EndsWith(name, ".position_ids"); }

}  // namespace

absl::StatusOr<SiglipConfig> SiglipConfig::FromJson(const nlohmann::json& json, const std::string& source) {
  SiglipConfig config;
  ConfigReader reader(json, source);
  ReadCommonSettings(reader);
  reader.Harmless({"tie_word_embeddings"});
  std::string family = "siglip";
  reader.OneOf("model_type", {"siglip", "siglip2"}, &family);
  config.naflex = family == "siglip2";
  ConfigReader vision(reader.Object("vision_config"), absl::StrCat(source, ": vision_config")),
      text(reader.Object("text_config"), absl::StrCat(source, ": text_config"));
  ReadTower(vision, family + "_vision_model", config.vision);
  vision.Integer("patch_size", config.patch_size);
  vision.Exactly("num_channels", 3);
  vision.Flag("vision_use_head", config.use_head);
  if (config.naflex) {
    vision.Integer("num_patches", config.num_patches);
    vision.Harmless({"image_size"});  // images of any size
  } else {
    vision.Integer("image_size", config.image_size);
    vision.Harmless({"num_patches"});  // follows from the two sizes
  }
  ReadTower(text, family + "_text_model", config.text);
  config.vocabulary = 32000;
  text.Integer("vocab_size", config.vocabulary);
  text.Integer("max_position_embeddings", config.text_length);
  config.projection = config.text.width;
  text.Integer("projection_size", config.projection);
  for (ConfigReader* each : {&reader, &vision, &text}) each->RefuseUnknown();
  for (const ConfigReader* each : {&reader, &vision, &text}) {
    if (absl::Status status = each->status(); !status.ok()) return status;
  }
  for (const SiglipTowerConfig* tower : {&config.vision, &config.text}) {
    if (tower->width < 1 || tower->width > kWidest || tower->heads < 1 || tower->width % tower->heads != 0 ||
        tower->layers < 0 || tower->layers > 512 || tower->mlp < 1 || tower->mlp > kWidest ||
        !(tower->eps > 0)) {
      return absl::InvalidArgumentError(absl::StrCat(source, ": tower sizes out of range"));
    }
  }
  if (config.vocabulary < 1 || config.vocabulary > (1 << 24) || config.text_length < 1 ||
      config.text_length > kWidest || config.projection < 1 || config.projection > kWidest) {
    return absl::InvalidArgumentError(absl::StrCat(source, ": text sizes out of range"));
  }
  if (config.patch_size < 1 || config.image_size < config.patch_size || config.image_size > kWidest) {
    return absl::InvalidArgumentError(absl::StrCat(source, ": patch_size ", config.patch_size,
                                                   " does not fit image_size ", config.image_size));
  }
  if (config.naflex) {
    const auto side = std::llround(std::sqrt(static_cast<double>(std::max<int64_t>(config.num_patches, 0))));
    if (side < 1 || side * side != config.num_patches) {
      return absl::InvalidArgumentError(
          absl::StrCat(source, ": num_patches ", config.num_patches, " is not the area of a square"));
    }
  }
  return config;
}

nlohmann::json SiglipConfig::ToJson() const {
  nlohmann::json vision_json = TowerToJson(vision), text_json = TowerToJson(text);
  vision_json["patch_size"] = patch_size;
  if (!use_head) vision_json["vision_use_head"] = false;
  if (naflex) {
    vision_json["num_patches"] = num_patches;
  } else {
    vision_json["image_size"] = image_size;
  }
  text_json["vocab_size"] = vocabulary;
  text_json["max_position_embeddings"] = text_length;
  text_json["projection_size"] = projection;
  return {{"model_type", naflex ? "siglip2" : "siglip"},
          {"vision_config", vision_json},
          {"text_config", text_json}};
}

ShapeMap Siglip::ExpectedTensors(const SiglipConfig& c) {
  ShapeMap shapes;
  const int64_t d = c.vision.width, p = c.patch_size;
  if (c.calibrated) shapes["logit_scale"] = shapes["logit_bias"] = {1};
  const std::string embed = "vision_model.embeddings.";
  if (c.naflex) {
    shapes[embed + "patch_embedding.weight"] = {d, 3 * p * p};
  } else {
    shapes[embed + "patch_embedding.weight"] = {d, 3, p, p};
  }
  shapes[embed + "patch_embedding.bias"] = {d};
  shapes[embed + "position_embedding.weight"] = {c.naflex ? c.num_patches : c.grid() * c.grid(), d};
  for (int64_t i = 0; i < c.vision.layers; ++i) {
    SiglipEncoder::AddLayer(shapes, absl::StrCat("vision_model.encoder.layers.", i, "."), d, c.vision.mlp);
  }
  shapes["vision_model.post_layernorm.weight"] = {d};
  shapes["vision_model.post_layernorm.bias"] = {d};
  if (c.use_head) {
    const std::string head = "vision_model.head.";
    shapes[head + "probe"] = {1, 1, d};
    shapes[head + "attention.in_proj_weight"] = {3 * d, d};
    shapes[head + "attention.in_proj_bias"] = {3 * d};
    shapes[head + "attention.out_proj.weight"] = {d, d};
    shapes[head + "attention.out_proj.bias"] = {d};
    shapes[head + "layernorm.weight"] = {d};
    shapes[head + "layernorm.bias"] = {d};
    shapes[head + "mlp.fc1.weight"] = {c.vision.mlp, d};
    shapes[head + "mlp.fc1.bias"] = {c.vision.mlp};
    shapes[head + "mlp.fc2.weight"] = {d, c.vision.mlp};
    shapes[head + "mlp.fc2.bias"] = {d};
  }
  const int64_t t = c.text.width;
  shapes["text_model.embeddings.token_embedding.weight"] = {c.vocabulary, t};
  shapes["text_model.embeddings.position_embedding.weight"] = {c.text_length, t};
  for (int64_t i = 0; i < c.text.layers; ++i) {
    SiglipEncoder::AddLayer(shapes, absl::StrCat("text_model.encoder.layers.", i, "."), t, c.text.mlp);
  }
  shapes["text_model.final_layer_norm.weight"] = {t};
  shapes["text_model.final_layer_norm.bias"] = {t};
  shapes["text_model.head.weight"] = {c.projection, t};
  shapes["text_model.head.bias"] = {c.projection};
  return shapes;
}

TensorMap Siglip::RandomInit(const SiglipConfig& config, uint64_t seed) {
  TensorMap tensors = InitByFanIn(ExpectedTensors(config), seed);
  if (!config.calibrated) return tensors;
  tensors["logit_scale"] = torch::full({1}, std::log(10.0));
  tensors["logit_bias"] = torch::full({1}, -10.0);
  return tensors;
}

absl::StatusOr<Siglip> Siglip::Create(SiglipConfig config, TensorMap tensors, const std::string& source) {
  std::erase_if(tensors, [](const auto& entry) { return IsUnused(entry.first); });
  if (absl::Status status = CheckWeights(ExpectedTensors(config), tensors, source); !status.ok())
    return status;
  return Siglip(std::move(config), std::move(tensors));
}

absl::StatusOr<Siglip> Siglip::Load(const std::string& folder) {
  return LoadFolder<Siglip, SiglipConfig>(folder, {}, [](SiglipConfig& config, StoredWeights& weights) {
    weights.Drop(IsUnused);
    const auto& tensors = weights.index().tensors;
    config.calibrated = tensors.contains("logit_scale") || tensors.contains("logit_bias");
  });
}

Siglip::Siglip(SiglipConfig config, TensorMap tensors)
    : config_(std::move(config)),
      tensors_(std::move(tensors)),
      vision_(tensors_, "vision_model.encoder.layers.", config_.vision.layers, config_.vision.heads,
              config_.vision.eps, /*lora_scale=*/0, config_.vision.gelu),
      text_(tensors_, "text_model.encoder.layers.", config_.text.layers, config_.text.heads, config_.text.eps,
            /*lora_scale=*/0, config_.text.gelu),
      text_head_(tensors_, {"text_model.head"}) {
  if (!config_.use_head) return;
  head_value_ = FusedLinear({{HeadProjection(kValue, "weight"), HeadProjection(kValue, "bias")}});
  head_out_ = LinearLayer(tensors_, {"vision_model.head.attention.out_proj"});
  head_mlp_ = GeluMlp(tensors_, "vision_model.head.mlp.", /*lora_scale=*/0, config_.vision.gelu);
}

torch::Tensor Siglip::VisionTokens(const torch::Tensor& pixels) const {
  const std::string embed = "vision_model.embeddings.";
  const torch::Tensor patches =
      torch::conv2d(pixels.to(DeviceOf(tensors_)), tensors_.at(embed + "patch_embedding.weight"),
                    tensors_.at(embed + "patch_embedding.bias"), config_.patch_size);
  const torch::Tensor x =
      patches.flatten(2).transpose(1, 2) + tensors_.at(embed + "position_embedding.weight");
  return LayerNorm(vision_(x), tensors_, "vision_model.post_layernorm", config_.vision.eps);
}

torch::Tensor Siglip::VisionTokens(const torch::Tensor& patches, const torch::Tensor& mask,
                                   const torch::Tensor& shapes) const {
  const std::string embed = "vision_model.embeddings.";
  const torch::Tensor& table = tensors_.at(embed + "position_embedding.weight");
  const int64_t side = static_cast<int64_t>(std::lround(std::sqrt(static_cast<double>(config_.num_patches))));
  const torch::Tensor square = table.view({side, side, -1}).permute({2, 0, 1}).unsqueeze(0);
  std::vector<torch::Tensor> positions;
  for (int64_t b = 0; b < patches.size(0); ++b) {
    const int64_t rows = shapes[b][0].item<int64_t>(), columns = shapes[b][1].item<int64_t>();
    const torch::Tensor resized =
        at::_upsample_bilinear2d_aa(square, {rows, columns}, /*align_corners=*/false)
            .flatten(2)
            .squeeze(0)
            .t();
    // Padded positions get the embedding of token 0.
    const torch::Tensor padding = resized.slice(0, 0, 1).expand({patches.size(1) - rows * columns, -1});
    positions.push_back(torch::cat({resized, padding}));
  }
  const torch::Tensor x = LinearLayer(tensors_, {embed + "patch_embedding"})(patches.to(DeviceOf(tensors_))) +
                          torch::stack(positions);
  const torch::Tensor keys = mask.to(DeviceOf(tensors_), torch::kBool).unsqueeze(1);
  return LayerNorm(vision_(x, keys), tensors_, "vision_model.post_layernorm", config_.vision.eps);
}

torch::Tensor Siglip::HeadProjection(HeadPart part, const char* kind) const {
  const int64_t d = config_.vision.width;
  return tensors_.at(absl::StrCat("vision_model.head.attention.in_proj_", kind))
      .narrow(0, static_cast<int64_t>(part) * d, d);
}

torch::Tensor Siglip::Pool(const torch::Tensor& tokens, const torch::Tensor& keys) const {
  // With one query, keys and values need not be computed: q (K x) = (q K) x, and the value projection
  // commutes with the weighted mean of the tokens.
  const int64_t d = config_.vision.width, heads = config_.vision.heads, each = d / heads;
  const torch::Tensor probe = tensors_.at("vision_model.head.probe").view({1, d});
  const torch::Tensor query =
      torch::linear(probe, HeadProjection(kQuery, "weight"), HeadProjection(kQuery, "bias"))
          .view({heads, 1, each});
  const torch::Tensor asked =
      torch::matmul(query, HeadProjection(kKey, "weight").view({heads, each, d})).squeeze(1);  // [heads, D]
  torch::Tensor scores =
      torch::matmul(tokens, asked.t()).transpose(1, 2) /
      std::sqrt(static_cast<double>(each));  // [B, heads, N]; the keys' bias adds a constant
  if (keys.defined())
    scores =
        scores.masked_fill(keys.to(DeviceOf(tensors_), torch::kBool).logical_not().unsqueeze(1), -INFINITY);
  const torch::Tensor mean = torch::matmul(torch::softmax(scores, -1), tokens);  // [B, heads, D]
  const torch::Tensor attended =
      torch::einsum("bhd,hed->bhe", {mean, HeadProjection(kValue, "weight").view({heads, each, d})})
          .reshape({tokens.size(0), 1, d}) +
      HeadProjection(kValue, "bias");
  return FinishPooling(attended).squeeze(1);
}

torch::Tensor Siglip::DenseTokens(const torch::Tensor& tokens) const {
  return FinishPooling(torch::GradMode::is_enabled() ? torch::linear(tokens, HeadProjection(kValue, "weight"),
                                                                     HeadProjection(kValue, "bias"))
                                                     : head_value_(tokens));
}

torch::Tensor Siglip::FinishPooling(const torch::Tensor& attended) const {
  const torch::Tensor y = head_out_(attended);
  return y + head_mlp_(LayerNorm(y, tensors_, "vision_model.head.layernorm", config_.vision.eps));
}

torch::Tensor Siglip::TextTokens(const torch::Tensor& ids) const {
  const torch::Tensor x =
      torch::embedding(tensors_.at("text_model.embeddings.token_embedding.weight"),
                       ids.to(DeviceOf(tensors_))) +
      tensors_.at("text_model.embeddings.position_embedding.weight").slice(0, 0, ids.size(1));
  return LayerNorm(text_(x), tensors_, "text_model.final_layer_norm", config_.text.eps);
}

torch::Tensor Siglip::PoolText(const torch::Tensor& tokens) const {
  return text_head_(tokens.select(1, tokens.size(1) - 1));
}

torch::Tensor UnitLength(const torch::Tensor& x) { return x / x.norm(2, -1, true); }

}  // namespace lvrpo
