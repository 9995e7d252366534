#include "model/layers/decoder_layer.h"

#include "model/kernels/attention.h"

namespace lvrpo {

DecoderLayer::DecoderLayer(const DecoderConfig& config, const TensorMap& tensors, const std::string& prefix,
                           const std::string& gen_suffix, int64_t layer, std::array<bool, 2> wanted)
    : config_(config), layer_(static_cast<size_t>(layer)) {
  if (wanted[0]) experts_[0] = ResolveExpert(tensors, prefix, "");
  if (wanted[1]) experts_[1] = ResolveExpert(tensors, prefix, gen_suffix);
  if (config.router.top_k)
    pool_ = ExpertPool(tensors, prefix + "mlp.", config.router, layer, config.lora_scale);
}

DecoderLayer::Expert DecoderLayer::ResolveExpert(const TensorMap& tensors, const std::string& prefix,
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

LayerState DecoderLayer::operator()(const LayerState& in, const LayerCall& call) const {
  LayerState out = {.streams = in.streams, .keys = {}, .values = {}};
  const auto norm = [&](ResidualStream& stream, const torch::Tensor& weight) {
    auto [sum, normed] = AddRmsNorm(stream.sum, stream.delta, weight, config_.rms_eps);
    stream.sum = sum;
    return normed;
  };
  std::array<QkvInput, 2> inputs;
  for (size_t i = 0; i < 2; ++i) {
    if (in.streams[i].tokens() == 0) continue;
    inputs[i] = {experts_[i].qkv(norm(out.streams[i], experts_[i].input_norm)), experts_[i].q_norm,
                 experts_[i].k_norm};
  }
  const Heads heads =
      SplitRotateHeads(inputs[0], inputs[1], call.rotary, config_.heads, config_.kv_heads, config_.rms_eps);
  const torch::Tensor merged = Attend(heads, in, call, out);
  int64_t begin = 0;
  for (size_t i = 0; i < 2; ++i) {
    const int64_t tokens = in.streams[i].tokens();
    if (tokens == 0) continue;
    const Expert& expert = experts_[i];
    ResidualStream& stream = out.streams[i];
    stream.delta = expert.o(merged.narrow(1, begin, tokens).contiguous());
    begin += tokens;
    const torch::Tensor normed = norm(stream, expert.post_norm);
    stream.delta = config_.router.top_k
                       ? pool_(normed, static_cast<TokenKind>(i))
                       : LinearLayer::Mlp(expert.gate_up, Activation::kSwiGlu, expert.down, normed);
  }
  return out;
}

torch::Tensor DecoderLayer::Attend(const Heads& heads, const LayerState& in, const LayerCall& call,
                                   LayerState& out) const {
  if (call.table != nullptr) return call.table->Attend(layer_, heads.q, heads.k, heads.v);
  if (call.grows_cache) {
    out.keys = {ConcatPast(in.keys[0], heads.k)};
    out.values = {ConcatPast(in.values[0], heads.v)};
    return Attention(heads.q, out.keys[0], out.values[0], call.segments[0].mask);
  }
  std::vector<AttentionSegment> parts;
  for (size_t i = 0; i < call.segments.size(); ++i)
    parts.push_back({call.segments[i].rows, in.keys[i], in.values[i], call.segments[i].mask});
  return Attention(heads.q, heads.k, heads.v, parts);
}

}  // namespace lvrpo
