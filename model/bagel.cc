#include "model/bagel.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "model/bagel_folder.h"
#include "model/expert_seed.h"
#include "model/layers/siglip_encoder.h"
#include "model/weights/random_init.h"

namespace lvrpo {
namespace {

constexpr int64_t kTimeFrequencies = 256;

void AddHalf(ShapeMap& shapes, const BagelConfig& c, int64_t layer, const std::string& suffix) {
  const std::string prefix = absl::StrCat("language_model.model.layers.", layer, ".");
  const int64_t kv = c.kv_heads * c.head_dim();
  const auto project = [&](const char* name, int64_t out) {
    shapes[absl::StrCat(prefix, "self_attn.", name, suffix, ".weight")] = {out, c.hidden};
    shapes[absl::StrCat(prefix, "self_attn.", name, suffix, ".bias")] = {out};
  };
  project("q_proj", c.hidden);
  project("k_proj", kv);
  project("v_proj", kv);
  shapes[absl::StrCat(prefix, "self_attn.o_proj", suffix, ".weight")] = {c.hidden, c.hidden};
  shapes[absl::StrCat(prefix, "self_attn.q_norm", suffix, ".weight")] = {c.head_dim()};
  shapes[absl::StrCat(prefix, "self_attn.k_norm", suffix, ".weight")] = {c.head_dim()};
  shapes[absl::StrCat(prefix, "input_layernorm", suffix, ".weight")] = {c.hidden};
  shapes[absl::StrCat(prefix, "post_attention_layernorm", suffix, ".weight")] = {c.hidden};
  if (c.router.top_k) return;
  shapes[absl::StrCat(prefix, "mlp", suffix, ".gate_proj.weight")] = {c.mlp, c.hidden};
  shapes[absl::StrCat(prefix, "mlp", suffix, ".up_proj.weight")] = {c.mlp, c.hidden};
  shapes[absl::StrCat(prefix, "mlp", suffix, ".down_proj.weight")] = {c.hidden, c.mlp};
}

}  // namespace

torch::Tensor SinCosTable(int64_t dim, int64_t side) {
  const torch::TensorOptions wide(torch::kFloat64);
  const int64_t quarter = dim / 4;
  const torch::Tensor omega =
      torch::pow(10000.0, -torch::arange(quarter, wide) / static_cast<double>(quarter));
  const torch::Tensor coordinate = torch::arange(side, wide);
  const auto embed = [&](const torch::Tensor& position) {  // [side * side] -> [side * side, dim / 2]
    const torch::Tensor angle = position.unsqueeze(1) * omega;
    return torch::cat({angle.sin(), angle.cos()}, 1);
  };
  const torch::Tensor column = coordinate.repeat({side});
  const torch::Tensor row = coordinate.repeat_interleave(side);
  return torch::cat({embed(column), embed(row)}, 1).to(torch::kFloat32);
}

torch::Tensor TimestepEmbedding(const torch::Tensor& t) {
  const int64_t half = kTimeFrequencies / 2;
  const torch::Tensor frequency =
      torch::exp(-std::log(10000.0) * torch::arange(half, t.options().dtype(torch::kFloat32)) /
                 static_cast<double>(half));
  const torch::Tensor angle = t.to(torch::kFloat32).unsqueeze(-1) * frequency;
  return torch::cat({angle.cos(), angle.sin()}, -1);
}

ShapeMap Bagel::ExpectedTensors(const BagelConfig& c) {
  ShapeMap shapes;
  shapes["language_model.model.embed_tokens.weight"] = {c.vocabulary, c.hidden};
  shapes["language_model.lm_head.weight"] = {c.vocabulary, c.hidden};
  shapes["language_model.model.norm.weight"] = {c.hidden};
  shapes["language_model.model.norm_moe_gen.weight"] = {c.hidden};
  for (int64_t layer = 0; layer < c.layers; ++layer) {
    AddHalf(shapes, c, layer, "");
    AddHalf(shapes, c, layer, "_moe_gen");
    if (c.router.top_k) {
      ExpertPool::AddTensors(shapes, absl::StrCat("language_model.model.layers.", layer, ".mlp."), c.router,
                             c.hidden, c.mlp);
    }
  }
  shapes["vae2llm.weight"] = {c.hidden, c.token_dim()};
  shapes["vae2llm.bias"] = {c.hidden};
  shapes["llm2vae.weight"] = {c.token_dim(), c.hidden};
  shapes["llm2vae.bias"] = {c.token_dim()};
  shapes["time_embedder.mlp.0.weight"] = {c.hidden, kTimeFrequencies};
  shapes["time_embedder.mlp.0.bias"] = {c.hidden};
  shapes["time_embedder.mlp.2.weight"] = {c.hidden, c.hidden};
  shapes["time_embedder.mlp.2.bias"] = {c.hidden};
  shapes["latent_pos_embed.pos_embed"] = {c.max_latent_side * c.max_latent_side, c.hidden};
  shapes["vit_pos_embed.pos_embed"] = {c.vit_max_side * c.vit_max_side, c.hidden};
  shapes["connector.fc1.weight"] = {c.hidden, c.vit_hidden};
  shapes["connector.fc1.bias"] = {c.hidden};
  shapes["connector.fc2.weight"] = {c.hidden, c.hidden};
  shapes["connector.fc2.bias"] = {c.hidden};
  const std::string vit = "vit_model.vision_model.";
  shapes[vit + "embeddings.patch_embedding.weight"] = {c.vit_hidden, 3 * c.vit_patch * c.vit_patch};
  shapes[vit + "embeddings.patch_embedding.bias"] = {c.vit_hidden};
  shapes[vit + "embeddings.position_embedding.weight"] = {c.vit_max_side * c.vit_max_side, c.vit_hidden};
  for (int64_t layer = 0; layer < c.vit_layers; ++layer) {
    SiglipEncoder::AddLayer(shapes, absl::StrCat(vit, "encoder.layers.", layer, "."), c.vit_hidden,
                            c.vit_mlp);
  }
  shapes[vit + "post_layernorm.weight"] = {c.vit_hidden};
  shapes[vit + "post_layernorm.bias"] = {c.vit_hidden};
  return shapes;
}

TensorMap Bagel::RandomInit(const BagelConfig& c, uint64_t seed) {
  if (c.router.top_k) {
    BagelConfig hard = c;
    hard.router = {};
    return SeedExperts(c, RandomInit(hard, seed), seed);
  }
  TensorMap tensors = InitByFanIn(ExpectedTensors(c), seed);
  torch::NoGradGuard no_grad;
  const double residual = 1 / std::sqrt(2.0 * static_cast<double>(c.layers));
  for (auto& [name, tensor] : tensors) {
    if (name.find("o_proj") != std::string::npos || name.find("down_proj") != std::string::npos)
      tensor.mul_(residual);
    const size_t at = name.find("_moe_gen");
    if (at == std::string::npos) continue;
    std::string base = name;
    base.erase(at, std::string("_moe_gen").size());
    tensor.copy_(tensors.at(base));
  }
  tensors["llm2vae.weight"].zero_();
  tensors["latent_pos_embed.pos_embed"] = SinCosTable(c.hidden, c.max_latent_side);
  tensors["vit_pos_embed.pos_embed"] = SinCosTable(c.hidden, c.vit_max_side);
  return tensors;
}

absl::StatusOr<Bagel> Bagel::Create(BagelConfig config, TensorMap tensors, const std::string& source,
                                    const std::optional<LoraConfig>& lora) {
  const bool adapters = lora.has_value();
  if (absl::Status status =
          CheckWeights(ExpectedTensors(config), adapters ? WithoutLora(tensors) : tensors, source);
      !status.ok())
    return status;
  if (adapters) {
    if (absl::Status status = CheckLora(tensors, ExpectedTensors(config), *lora, source); !status.ok())
      return status;
  }
  return Bagel(std::move(config), std::move(tensors), adapters ? LoraScale(*lora) : 0);
}

absl::StatusOr<Bagel> Bagel::WithTensors(const TensorMap& replaced, const std::string& source) const {
  TensorMap tensors = tensors_;
  for (const auto& [name, tensor] : replaced) {
    const auto own = tensors.find(name);
    if (own == tensors.end() || own->second.sizes() != tensor.sizes() ||
        own->second.scalar_type() != tensor.scalar_type()) {
      return absl::DataLossError(absl::StrCat(source, ": the tensor ", name, " does not fit this model"));
    }
    own->second = tensor.to(device());
  }
  return Bagel(config_, std::move(tensors), lora_scale_, source_);
}

std::optional<int64_t> Bagel::LayerOf(const std::string& name) {
  absl::string_view rest = name;
  int64_t layer = 0;
  if (!absl::ConsumePrefix(&rest, "language_model.model.layers.") ||
      !absl::SimpleAtoi(rest.substr(0, rest.find('.')), &layer))
    return std::nullopt;
  return layer;
}

Bagel Bagel::WithLayersFrom(LayerSource& source) const {
  TensorMap others;
  for (const auto& [name, tensor] : tensors_) {
    if (!LayerOf(name).has_value()) others[name] = tensor;
  }
  return Bagel(config_, std::move(others), lora_scale_, &source);
}

absl::StatusOr<Bagel> Bagel::Load(const std::string& folder, const WeightReadOptions& options) {
  absl::StatusOr<BagelFolder> opened = OpenBagelFolder(folder);
  if (!opened.ok()) return opened.status();
  absl::StatusOr<TensorMap> tensors = opened->weights.Read(options);
  if (!tensors.ok()) return tensors.status();
  return Create(opened->config, *std::move(tensors), opened->weights.source());
}

Bagel::Bagel(BagelConfig config, TensorMap tensors, double lora_scale, LayerSource* source)
    : config_(std::move(config)),
      tensors_(std::move(tensors)),
      lora_scale_(lora_scale),
      source_(source),
      decoder_({.layers = config_.layers,
                .hidden = config_.hidden,
                .mlp = config_.mlp,
                .heads = config_.heads,
                .kv_heads = config_.kv_heads,
                .rms_eps = config_.rms_eps,
                .rope_theta = config_.rope_theta,
                .lora_scale = lora_scale,
                .router = config_.router},
               tensors_, "language_model.", "_moe_gen", source),
      image_ends_(IdTensor({config_.start_of_image, config_.end_of_image})),
      head_(tensors_, {"language_model.lm_head"}, lora_scale),
      time_in_(tensors_, {"time_embedder.mlp.0"}, lora_scale),
      time_out_(tensors_, {"time_embedder.mlp.2"}, lora_scale),
      latent_in_(tensors_, {"vae2llm"}, lora_scale),
      latent_out_(tensors_, {"llm2vae"}, lora_scale),
      patch_embedding_(tensors_, {"vit_model.vision_model.embeddings.patch_embedding"}, lora_scale),
      connector_(tensors_, "connector.", lora_scale),
      vit_(tensors_, "vit_model.vision_model.encoder.layers.", config_.vit_layers, config_.vit_heads,
           config_.vit_eps, lora_scale) {}

torch::Tensor Bagel::EmbedTokens(const torch::Tensor& ids) const {
  return torch::embedding(tensors_.at("language_model.model.embed_tokens.weight"), ids.to(device()));
}

torch::Tensor Bagel::EmbedLatents(const torch::Tensor& x_t, const torch::Tensor& t,
                                  const torch::Tensor& positions) const {
  const torch::Tensor time = time_out_(torch::silu(time_in_(TimestepEmbedding(t).to(dtype()))));
  const torch::Tensor place = torch::embedding(tensors_.at("latent_pos_embed.pos_embed"), positions);
  const torch::Tensor content = latent_in_(x_t.to(dtype()));
  return content + (time.dim() < content.dim() ? time.unsqueeze(1) : time) + place;
}

torch::Tensor Bagel::OutputVelocity(const torch::Tensor& hidden) const {
  return latent_out_(hidden).to(torch::kFloat32);
}

torch::Tensor Bagel::Logits(const torch::Tensor& hidden) const { return head_(hidden).to(torch::kFloat32); }

torch::Tensor Bagel::GridPositions(int64_t rows, int64_t columns, int64_t side) const {
  const auto range = [&](int64_t count) {
    return torch::arange(count, torch::TensorOptions(torch::kInt64).device(device()));
  };
  return (range(rows).unsqueeze(1) * side + range(columns)).flatten();
}

torch::Tensor Bagel::LatentPositions(int64_t grid_h, int64_t grid_w) const {
  TORCH_CHECK(grid_h >= 1 && grid_w >= 1 && std::max(grid_h, grid_w) <= config_.max_latent_side,
              "a latent grid of ", grid_h, "x", grid_w, " tokens does not fit the model's position table of ",
              config_.max_latent_side, "x", config_.max_latent_side);
  return GridPositions(grid_h, grid_w, config_.max_latent_side);
}

torch::Tensor Bagel::VitPositions(int64_t rows, int64_t columns) const {
  TORCH_CHECK(rows >= 1 && columns >= 1 && std::max(rows, columns) <= config_.vit_max_side, "an image of ",
              rows, "x", columns, " patches does not fit the vision tower's position table of ",
              config_.vit_max_side, "x", config_.vit_max_side);
  return GridPositions(rows, columns, config_.vit_max_side);
}

torch::Tensor Bagel::IdTensor(const std::vector<int64_t>& ids) const {
  return torch::tensor(ids, torch::kInt64).to(device());
}

torch::Tensor Bagel::StartAndEnd(int64_t batch) const {
  return EmbedTokens(image_ends_).unsqueeze(0).expand({batch, 2, config_.hidden}).contiguous();
}

torch::Tensor Bagel::VitPatches(const torch::Tensor& pixels) const {
  const int64_t b = pixels.size(0), p = config_.vit_patch, h = pixels.size(2) / p, w = pixels.size(3) / p;
  return pixels.reshape({b, 3, h, p, w, p}).permute({0, 2, 4, 3, 5, 1}).reshape({b, h * w, p * p * 3});
}

torch::Tensor Bagel::EncodePatches(const torch::Tensor& patches, const torch::Tensor& positions) const {
  const std::string vit = "vit_model.vision_model.";
  const torch::Tensor x =
      patch_embedding_(patches.to(device(), dtype())) +
      torch::embedding(tensors_.at(vit + "embeddings.position_embedding.weight"), positions);
  return LayerNorm(vit_(x), tensors_, vit + "post_layernorm", config_.vit_eps);
}

torch::Tensor Bagel::VitTokens(const torch::Tensor& pixels) const {
  return EncodePatches(VitPatches(pixels),
                       VitPositions(pixels.size(2) / config_.vit_patch, pixels.size(3) / config_.vit_patch));
}

torch::Tensor Bagel::Connect(const torch::Tensor& vit_tokens) const { return connector_(vit_tokens); }

torch::Tensor Bagel::EmbedImage(const torch::Tensor& vit_tokens, const torch::Tensor& positions) const {
  return Connect(vit_tokens) + torch::embedding(tensors_.at("vit_pos_embed.pos_embed"), positions);
}

}  // namespace lvrpo
