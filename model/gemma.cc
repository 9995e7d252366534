#include "model/gemma.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "model/kernels/attention.h"
#include "model/layers/qwen2_layers.h"
#include "model/layers/siglip_encoder.h"

namespace lvrpo {

void GemmaConfig::ReadFrom(ConfigReader& reader) {
  for (const auto& [key, value] : {std::pair("hidden_size", &hidden),
                                   {"intermediate_size", &mlp},
                                   {"num_hidden_layers", &layers},
                                   {"num_attention_heads", &heads},
                                   {"num_key_value_heads", &kv_heads},
                                   {"vocab_size", &vocabulary}}) {
    if (!reader.Has(key)) reader.Problem(key, "is missing");
    reader.Integer(key, *value);
  }
  ReadCommonSettings(reader);
  reader.Harmless({"max_position_embeddings"});  // how far it was trained; positions are computed
  reader.Integer("head_dim", head_dim);
  reader.Number("rms_norm_eps", rms_eps);
  reader.OneOf("model_type", {"gemma"});
  reader.OneOf("hidden_act", {"gelu_pytorch_tanh"});
  reader.OneOf("hidden_activation", {"gelu_pytorch_tanh"});
  reader.Never("attention_bias");
  bool tied = true;
  reader.Flag("tie_word_embeddings", tied);
  if (!tied) reader.Problem("tie_word_embeddings", "is false, which is not supported");
  ReadRotaryBase(reader, rope_theta);
}

std::string GemmaConfig::SizeProblem() const {
  constexpr int64_t kWidest = int64_t{1} << 20;
  const bool sane = hidden >= 1 && hidden <= kWidest && mlp >= 1 && mlp <= kWidest && heads >= 1 &&
                    heads <= 4096 && kv_heads >= 1 && heads % kv_heads == 0 && head_dim >= 2 &&
                    head_dim <= 4096 && head_dim % 2 == 0 && layers >= 1 && layers <= 512 &&
                    vocabulary >= 1 && vocabulary <= (1 << 24) && rms_eps > 0 && rope_theta > 0;
  if (sane) return "";
  return absl::StrCat("model sizes out of range or inconsistent: hidden_size ", hidden,
                      ", intermediate_size ", mlp, ", num_hidden_layers ", layers, ", num_attention_heads ",
                      heads, ", num_key_value_heads ", kv_heads, ", head_dim ", head_dim, ", vocab_size ",
                      vocabulary, ", rms_norm_eps ", rms_eps, ", rope_theta ", rope_theta);
}

nlohmann::json GemmaConfig::ToJson() const {
  return {{"model_type", "gemma"},           {"hidden_act", "gelu_pytorch_tanh"},
          {"hidden_size", hidden},           {"intermediate_size", mlp},
          {"num_hidden_layers", layers},     {"num_attention_heads", heads},
          {"num_key_value_heads", kv_heads}, {"head_dim", head_dim},
          {"vocab_size", vocabulary},        {"rms_norm_eps", rms_eps},
          {"rope_theta", rope_theta}};
}

void Gemma::AddShapes(ShapeMap& shapes, const GemmaConfig& c, const std::string& prefix) {
  const int64_t q = c.heads * c.head_dim, kv = c.kv_heads * c.head_dim;
  shapes[prefix + "model.embed_tokens.weight"] = {c.vocabulary, c.hidden};
  shapes[prefix + "model.norm.weight"] = {c.hidden};
  for (int64_t layer = 0; layer < c.layers; ++layer) {
    const std::string own = absl::StrCat(prefix, "model.layers.", layer, ".");
    shapes[own + "input_layernorm.weight"] = {c.hidden};
    shapes[own + "post_attention_layernorm.weight"] = {c.hidden};
    shapes[own + "self_attn.q_proj.weight"] = {q, c.hidden};
    shapes[own + "self_attn.k_proj.weight"] = {kv, c.hidden};
    shapes[own + "self_attn.v_proj.weight"] = {kv, c.hidden};
    shapes[own + "self_attn.o_proj.weight"] = {c.hidden, q};
    shapes[own + "mlp.gate_proj.weight"] = {c.mlp, c.hidden};
    shapes[own + "mlp.up_proj.weight"] = {c.mlp, c.hidden};
    shapes[own + "mlp.down_proj.weight"] = {c.hidden, c.mlp};
  }
}

Gemma::Gemma(const GemmaConfig& config, const TensorMap& tensors, const std::string& prefix)
    : config_(config),
      embeddings_(tensors.at(prefix + "model.embed_tokens.weight")),
      norm_(tensors.at(prefix + "model.norm.weight")),
      head_({{embeddings_, {}}}),
      frequencies_(RotaryFrequencies(config.rope_theta, config.head_dim).to(embeddings_.device())) {
  for (int64_t layer = 0; layer < config.layers; ++layer) {
    const std::string own = absl::StrCat(prefix, "model.layers.", layer, ".");
    const std::string attention = own + "self_attn.", mlp = own + "mlp.";
    layers_.push_back(
        {.input_norm = tensors.at(own + "input_layernorm.weight"),
         .post_norm = tensors.at(own + "post_attention_layernorm.weight"),
         .qkv = LinearLayer(tensors, {attention + "q_proj", attention + "k_proj", attention + "v_proj"}),
         .o = LinearLayer(tensors, {attention + "o_proj"}),
         .gate_up = LinearLayer(tensors, {mlp + "gate_proj", mlp + "up_proj"}),
         .down = LinearLayer(tensors, {mlp + "down_proj"})});
  }
}

torch::Tensor Gemma::Embed(const torch::Tensor& ids) const {
  // The factor is rounded to the weights' dtype, which matters in bf16.
  const torch::Tensor scale =
      torch::full({}, std::sqrt(static_cast<double>(config_.hidden)), embeddings_.options());
  return torch::embedding(embeddings_, ids) * scale;
}

torch::Tensor Gemma::Norm(const torch::Tensor& x, const torch::Tensor& weight) const {
  // All of it in fp32, unlike Qwen2's, which is cast before it is scaled.
  const torch::Tensor wide = x.to(torch::kFloat32);
  const torch::Tensor unit = wide * torch::rsqrt(wide.square().mean(-1, true) + config_.rms_eps);
  return (unit * (1 + weight.to(torch::kFloat32))).to(x.scalar_type());
}

torch::Tensor Gemma::Append(KvCache& cache, torch::Tensor x, const torch::Tensor& positions,
                            const torch::Tensor& mask) const {
  const RotaryTables rotary = MakeRotaryTables(positions, frequencies_, x.scalar_type());
  KvCache grown;
  for (size_t i = 0; i < layers_.size(); ++i) {
    const Layer& layer = layers_[i];
    const QkvInput source = {layer.qkv(Norm(x, layer.input_norm)), {}, {}};
    const Heads heads =
        SplitRotateHeads(source, {}, rotary, config_.heads, config_.kv_heads, config_.rms_eps);
    const bool first = cache.keys.empty();
    grown.keys.push_back(first ? heads.k : ConcatPast(cache.keys[i], heads.k));
    grown.values.push_back(first ? heads.v : ConcatPast(cache.values[i], heads.v));
    x = x + layer.o(Attention(heads.q, grown.keys.back(), grown.values.back(), mask));
    x = x + LinearLayer::Mlp(layer.gate_up, Activation::kGeGlu, layer.down, Norm(x, layer.post_norm));
  }
  cache.keys = std::move(grown.keys);
  cache.values = std::move(grown.values);
  return Norm(x, norm_);
}

torch::Tensor Gemma::Logits(const torch::Tensor& hidden) const { return head_(hidden).to(torch::kFloat32); }

}  // namespace lvrpo
