#pragma once

#include <span>
#include <string>
#include <vector>

#include "model/kernels/fused_ops.h"
#include "model/layers/expert_pool.h"
#include "model/layers/kv_cache.h"
#include "model/layers/kv_table.h"
#include "model/weights/linear_layer.h"
#include "model/weights/weights.h"

namespace lvrpo {

// A model that writes text, as a sampler sees it (generation/text_engine.h).
class TextDecoder {
 public:
  virtual ~TextDecoder() = default;
  // Slots for sequences that are decoded together, and the bytes of one.
  virtual KvTable MakeSlots(int64_t slots, int64_t capacity) const = 0;
  virtual int64_t SlotBytes(int64_t capacity) const = 0;
  // One more token, ids int64 [R], in each of the first R slots: hidden after the final norm, [R, H].
  virtual torch::Tensor DecodeTokens(KvTable& slots, const torch::Tensor& ids) const = 0;
  virtual torch::Tensor Logits(const torch::Tensor& hidden) const = 0;  // fp32 [..., H] -> [..., V]
};

struct DecoderConfig {
  int64_t layers = 0, hidden = 0, mlp = 0, heads = 0, kv_heads = 0;
  double rms_eps = 1e-6, rope_theta = 1e4;
  bool rotary_in_fp32 = true;  // whatever the weights are; false: in their dtype, as transformers' Qwen2
  double lora_scale = 0;       // of the adapters among the tensors (model/weights/lora.h)
  RouterConfig router = {};    // top_k: the layers' MLPs are pools of experts, for both streams

  int64_t head_dim() const { return hidden / heads; }
  KvShape kv_shape() const { return {layers, kv_heads, head_dim()}; }
};

// The layers of a Qwen2 decoder with its final norm (transformers:models/qwen2), or of BAGEL's, where every
// layer has two sets of weights (ByteDance-Seed/Bagel:modeling/bagel/qwen2_navit.py): understanding tokens u
// run through the first, latent tokens g through the second, and all meet in one attention.
//
//        understanding tokens u          latent tokens g
//               |                               |
//        norm, q k v, qk-norm          norm, q k v, qk-norm   (second set)
//                \________ attention ___________/
//               |       (u, g, cache)           |
//           o_proj, mlp                    o_proj, mlp        (second set, or experts that both share)
//
// Functional over named tensors, which it shares. Copies share them too. Thread-safe while nobody changes the
// tensors.
class Decoder {
 public:
  // The names of a layer's tensors, "model.layers.0.mlp.up_proj.weight", with `prefix` in front; those of the
  // second set have `second` inside ("mlp_moe_gen.up_proj", "q_proj_moe_gen"). Empty: one set.
  // All must be there but QK-norms, biases and adapters.
  Decoder(const DecoderConfig& config, const TensorMap& tensors, const std::string& prefix,
          const std::string& second);

  // Two streams of one batch: understanding tokens first. Either may be undefined.
  struct Streams {
    torch::Tensor u, g;  // [B, Tu, H], [B, Tg, H]
  };
  // Consecutive rows of a batch and the context that they see: a cache of batch 1 or `rows`, or null. mask
  // bool, broadcast to [rows, Tu + Tg, L + Tu + Tg], or undefined: everything sees everything.
  struct Segment {
    const KvCache* past;
    int64_t rows;
    torch::Tensor mask;
    // Instead of `past`: each row continues its slot, by one token. Then there is one segment.
    KvTable* slots = nullptr;
  };
  // The residual streams on their way: what comes out of layer number `after_layers`, counted from 1.
  struct Tap {
    int64_t after_layers = 0;
    Streams hidden;
  };
  // Runs all layers and the final norm. positions int64 [B or 1, Tu + Tg]. The rows of the segments add up to
  // B; with `grown` there is one segment, whose keys and values, old and new, are put there. `tap` is filled.
  Streams Run(const Streams& x, const torch::Tensor& positions, std::span<const Segment> segments,
              KvCache* grown, Tap* tap = nullptr) const;

  KvShape kv_shape() const { return config_.kv_shape(); }

  // One more token, embedded [R, H], in each of the first R slots: hidden after the final norm, [R, H].
  torch::Tensor Step(KvTable& slots, const torch::Tensor& embedded) const;

 private:
  struct Half {  // one set of weights of one layer
    LinearLayer qkv, o, gate_up, down;
    torch::Tensor q_norm, k_norm, input_norm, post_norm;
  };
  struct Layer {
    Half first, second;
    ExpertPool experts;  // with a top_k router instead of the halves' gate_up and down
  };
  // All segments' attention in one layer: [B, T, H].
  torch::Tensor Attend(size_t layer, const Heads& heads, std::span<const Segment> segments,
                       KvCache* grown) const;
  Half ResolveHalf(const TensorMap& tensors, const std::string& prefix, const std::string& suffix) const;

  DecoderConfig config_;
  std::vector<Layer> layers_;
  torch::Tensor norms_[2];     // the final ones
  torch::Tensor frequencies_;  // of RoPE, [head_dim / 2]
};

}  // namespace lvrpo
