#pragma once

#include <array>
#include <string>
#include <vector>

#include "model/kernels/fused_ops.h"
#include "model/layers/decoder_config.h"
#include "model/layers/expert_pool.h"
#include "model/layers/kv_table.h"
#include "model/weights/linear_layer.h"
#include "model/weights/weights.h"

namespace lvrpo {

// A token stream between two layers: the residual stream is sum + delta, because AddRmsNorm fuses the
// addition with the next norm.
struct ResidualStream {
  torch::Tensor sum, delta;  // [B, T, H]; both undefined: no tokens; no delta: zero
  int64_t tokens() const { return sum.defined() ? sum.size(1) : 0; }
};

// What goes into a layer and comes out of it.
struct LayerState {
  std::array<ResidualStream, 2> streams;  // of the und expert, of the gen expert
  // In: the past of each segment. Out: of the only segment, the past followed by the new tokens, if the call
  // says so.
  std::vector<torch::Tensor> keys, values;  // [B or 1, kv_heads, P, d]; undefined: no past
};

// What is the same for all layers of a forward.
struct LayerCall {
  struct Rows {  // of a segment (Decoder::Segment)
    int64_t rows;
    torch::Tensor mask;
  };
  RotaryTables rotary;
  std::vector<Rows> segments;
  bool grows_cache = false;  // keys and values come out
  KvTable* table = nullptr;  // a decode step
};

// One layer of a Decoder (model/layers/decoder.h). Shares its tensors.
class DecoderLayer {
 public:
  // Names: see Decoder. `prefix` ends with "layers.<layer>.". Experts that are not `wanted` are left out.
  DecoderLayer(const DecoderConfig& config, const TensorMap& tensors, const std::string& prefix,
               const std::string& gen_suffix, int64_t layer, std::array<bool, 2> wanted);

  LayerState operator()(const LayerState& in, const LayerCall& call) const;

 private:
  struct Expert {
    LinearLayer qkv, o, gate_up, down;
    torch::Tensor q_norm, k_norm, input_norm, post_norm;
  };
  Expert ResolveExpert(const TensorMap& tensors, const std::string& prefix, const std::string& suffix) const;
  // All segments' attention: [B, T, H].
  torch::Tensor Attend(const Heads& heads, const LayerState& in, const LayerCall& call,
                       LayerState& out) const;

  DecoderConfig config_;
  size_t layer_;
  std::array<Expert, 2> experts_;
  ExpertPool pool_;  // with a top_k router, instead of the experts' gate_up and down
};

}  // namespace lvrpo
