#include "model/layers/decoder.h"

#include <array>

#include "absl/strings/str_cat.h"
#include "model/layers/qwen2_layers.h"

namespace lvrpo {

Decoder::Decoder(const DecoderConfig& config, const TensorMap& tensors, const std::string& prefix,
                 const std::string& gen_suffix, LayerSource* source)
    : config_(config) {
  const std::string layers = prefix + "model.layers.";
  if (source != nullptr) sourced_.emplace(config, layers, gen_suffix, *source);
  for (int64_t layer = 0; layer < config.layers && source == nullptr; ++layer) {
    layers_.emplace_back(config, tensors, absl::StrCat(layers, layer, "."), gen_suffix, layer,
                         std::array<bool, 2>{true, !gen_suffix.empty()});
  }
  norms_[0] = tensors.at(prefix + "model.norm.weight");
  if (!gen_suffix.empty()) norms_[1] = tensors.at(absl::StrCat(prefix, "model.norm", gen_suffix, ".weight"));
  frequencies_ = RotaryFrequencies(config.rope_theta, config.head_dim()).to(norms_[0].device());
}

Decoder::Streams Decoder::Run(const Streams& x, const torch::Tensor& positions,
                              std::span<const Segment> segments, KvCache* grown, Tap* tap) const {
  const torch::Dtype dtype = (x.und.defined() ? x.und : x.gen).scalar_type();
  LayerCall call = {
      .rotary = MakeRotaryTables(positions, frequencies_, config_.rotary_in_fp32 ? torch::kFloat32 : dtype),
      .segments = {},
      .grows_cache = grown != nullptr,
      .table = segments[0].table};
  for (const Segment& segment : segments) call.segments.push_back({segment.rows, segment.mask});
  const auto past = [&](size_t layer, const std::vector<torch::Tensor> KvCache::*list) {
    std::vector<torch::Tensor> of_segments;
    for (const Segment& segment : segments) {
      const bool any = segment.past != nullptr && !segment.past->keys.empty();
      of_segments.push_back(any ? (segment.past->*list)[layer] : torch::Tensor());
    }
    return of_segments;
  };

  LayerState state;
  state.streams = {ResidualStream{x.und, {}}, ResidualStream{x.gen, {}}};
  for (int64_t layer = 0; layer < config_.layers; ++layer) {
    state.keys = past(static_cast<size_t>(layer), &KvCache::keys);
    state.values = past(static_cast<size_t>(layer), &KvCache::values);
    state = RunLayer(layer, state, call);
    if (grown != nullptr) {
      grown->keys.push_back(state.keys[0]);
      grown->values.push_back(state.values[0]);
    }
    if (tap != nullptr && layer + 1 == tap->after_layers) {
      const auto hidden = [](const ResidualStream& s) {
        return s.tokens() == 0 ? torch::Tensor() : s.sum + s.delta;
      };
      tap->hidden = {hidden(state.streams[0]), hidden(state.streams[1])};
    }
  }
  const auto finish = [&](const ResidualStream& s, const torch::Tensor& weight) {
    return s.tokens() == 0 ? torch::Tensor() : AddRmsNorm(s.sum, s.delta, weight, config_.rms_eps).norm;
  };
  return {finish(state.streams[0], norms_[0]), finish(state.streams[1], norms_[1])};
}

torch::Tensor Decoder::Step(KvTable& table, const torch::Tensor& embedded) const {
  const torch::Tensor positions = table.BeginStep(embedded.size(0));
  const Segment segment = {nullptr, embedded.size(0), {}, &table};
  const Streams out = Run({.und = embedded.unsqueeze(1), .gen = {}}, positions, {&segment, 1}, nullptr);
  table.EndStep();
  return out.und.squeeze(1);
}

}  // namespace lvrpo
