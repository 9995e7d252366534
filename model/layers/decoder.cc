#include "model/layers/decoder.h"

#include <array>

#include "absl/strings/str_cat.h"
#include "model/kernels/attention.h"
#include "model/layers/qwen2_layers.h"

namespace lvrpo {

Decoder::Decoder(const DecoderConfig& config, const TensorMap& tensors, const std::string& prefix,
                 const std::string& gen_suffix)
    : config_(config) {
  for (int64_t layer = 0; layer < config.layers; ++layer) {
    const std::string own = absl::StrCat(prefix, "model.layers.", layer, ".");
    layers_.push_back({.und = ResolveExpert(tensors, own, ""),
                       .gen = gen_suffix.empty() ? Expert() : ResolveExpert(tensors, own, gen_suffix),
                       .pool = {}});
    if (config.router.top_k)
      layers_.back().pool = ExpertPool(tensors, own + "mlp.", config.router, layer, config.lora_scale);
  }
  norms_[0] = tensors.at(prefix + "model.norm.weight");
  if (!gen_suffix.empty()) norms_[1] = tensors.at(absl::StrCat(prefix, "model.norm", gen_suffix, ".weight"));
  frequencies_ = RotaryFrequencies(config.rope_theta, config.head_dim()).to(norms_[0].device());
}

Decoder::Expert Decoder::ResolveExpert(const TensorMap& tensors, const std::string& prefix,
                                       const std::string& suffix) const {
  const auto linears = [&](std::vector<std::string> modules) {
    for (std::string& module : modules) module = prefix + module;
    return LinearLayer(tensors, modules, config_.lora_scale);
  };
  const auto norm = [&](const std::string& module) {
    return FindTensor(tensors, prefix + module + ".weight");
  };
  const bool own_mlp = !config_.router.top_k;
  return {
      .qkv = linears({"self_attn.q_proj" + suffix, "self_attn.k_proj" + suffix, "self_attn.v_proj" + suffix}),
      .o = linears({"self_attn.o_proj" + suffix}),
      .gate_up =
          own_mlp ? linears({"mlp" + suffix + ".gate_proj", "mlp" + suffix + ".up_proj"}) : LinearLayer(),
      .down = own_mlp ? linears({"mlp" + suffix + ".down_proj"}) : LinearLayer(),
      .q_norm = norm("self_attn.q_norm" + suffix),
      .k_norm = norm("self_attn.k_norm" + suffix),
      .input_norm = norm("input_layernorm" + suffix),
      .post_norm = norm("post_attention_layernorm" + suffix)};
}

Decoder::Streams Decoder::Run(const Streams& x, const torch::Tensor& positions,
                              std::span<const Segment> segments, KvCache* grown, Tap* tap) const {
  // A residual stream is sum + delta; AddRmsNorm fuses the addition with the next norm.
  struct Stream {
    torch::Tensor sum, delta;
    int64_t tokens;
  };
  const auto stream = [](const torch::Tensor& in) { return Stream{in, {}, in.defined() ? in.size(1) : 0}; };
  std::array<Stream, 2> streams = {{stream(x.und), stream(x.gen)}};
  const torch::Dtype dtype = (x.und.defined() ? x.und : x.gen).scalar_type();
  const RotaryTables rotary =
      MakeRotaryTables(positions, frequencies_, config_.rotary_in_fp32 ? torch::kFloat32 : dtype);
  const auto norm = [&](Stream& s, const torch::Tensor& weight) {
    auto [sum, normed] = AddRmsNorm(s.sum, s.delta, weight, config_.rms_eps);
    s.sum = sum;
    return normed;
  };

  for (size_t layer = 0; layer < layers_.size(); ++layer) {
    const std::array<const Expert*, 2> experts = {&layers_[layer].und, &layers_[layer].gen};
    std::array<QkvInput, 2> inputs;
    for (size_t i = 0; i < 2; ++i) {
      if (streams[i].tokens == 0) continue;
      inputs[i] = {experts[i]->qkv(norm(streams[i], experts[i]->input_norm)), experts[i]->q_norm,
                   experts[i]->k_norm};
    }
    const Heads heads =
        SplitRotateHeads(inputs[0], inputs[1], rotary, config_.heads, config_.kv_heads, config_.rms_eps);
    const torch::Tensor merged = Attend(layer, heads, segments, grown);  // [B, T, H]
    for (size_t i = 0; i < 2; ++i) {
      Stream& s = streams[i];
      if (s.tokens == 0) continue;
      s.delta = experts[i]->o(merged.narrow(1, i == 0 ? 0 : streams[0].tokens, s.tokens).contiguous());
      const torch::Tensor normed = norm(s, experts[i]->post_norm);
      s.delta = config_.router.top_k
                    ? layers_[layer].pool(normed, static_cast<TokenKind>(i))
                    : LinearLayer::Mlp(experts[i]->gate_up, Activation::kSwiGlu, experts[i]->down, normed);
    }
    if (tap != nullptr && static_cast<int64_t>(layer) + 1 == tap->after_layers) {
      const auto hidden = [](const Stream& s) { return s.tokens == 0 ? torch::Tensor() : s.sum + s.delta; };
      tap->hidden = {hidden(streams[0]), hidden(streams[1])};
    }
  }
  const auto finish = [&](Stream& s, const torch::Tensor& weight) {
    return s.tokens == 0 ? torch::Tensor() : norm(s, weight);
  };
  return {finish(streams[0], norms_[0]), finish(streams[1], norms_[1])};
}

torch::Tensor Decoder::Attend(size_t layer, const Heads& heads, std::span<const Segment> segments,
                              KvCache* grown) const {
  const auto past = [&](const Segment& segment, const std::vector<torch::Tensor> KvCache::*list) {
    const bool any = segment.past != nullptr && !segment.past->keys.empty();
    return any ? (segment.past->*list)[layer] : torch::Tensor();
  };
  const Segment& first = segments[0];
  if (first.table != nullptr) return first.table->Attend(layer, heads.q, heads.k, heads.v);
  if (grown != nullptr) {
    grown->keys.push_back(ConcatPast(past(first, &KvCache::keys), heads.k));
    grown->values.push_back(ConcatPast(past(first, &KvCache::values), heads.v));
    return Attention(heads.q, grown->keys.back(), grown->values.back(), first.mask);
  }
  std::vector<AttentionSegment> parts;
  for (const Segment& segment : segments)
    parts.push_back(
        {segment.rows, past(segment, &KvCache::keys), past(segment, &KvCache::values), segment.mask});
  return Attention(heads.q, heads.k, heads.v, parts);
}

torch::Tensor Decoder::Step(KvTable& table, const torch::Tensor& embedded) const {
  const torch::Tensor positions = table.BeginStep(embedded.size(0));
  const Segment segment = {nullptr, embedded.size(0), {}, &table};
  const Streams out = Run({.und = embedded.unsqueeze(1), .gen = {}}, positions, {&segment, 1}, nullptr);
  table.EndStep();
  return out.und.squeeze(1);
}

}  // namespace lvrpo
