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
  // A table for sequences that are decoded together, and the bytes of one of its slots.
  virtual KvTable MakeKvTable(int64_t slots, int64_t capacity) const = 0;
  virtual int64_t SlotBytes(int64_t capacity) const = 0;
  // Appends one token, ids int64 [R], to each of the first R slots: hidden after the final norm, [R, H].
  virtual torch::Tensor DecodeTokens(KvTable& table, const torch::Tensor& ids) const = 0;
  virtual torch::Tensor Logits(const torch::Tensor& hidden) const = 0;  // fp32 [..., H] -> [..., V]
};

struct DecoderConfig {
  int64_t layers = 0, hidden = 0, mlp = 0, heads = 0, kv_heads = 0;
  double rms_eps = 1e-6, rope_theta = 1e4;
  bool rotary_in_fp32 = true;  // for weights of any dtype; false: in theirs, as transformers' Qwen2
  double lora_scale = 0;       // applied to the adapters among the tensors (model/weights/lora.h)
  RouterConfig router = {};    // top_k: each layer's MLP is an expert pool for both streams

  int64_t head_dim() const { return hidden / heads; }
  KvShape kv_shape() const { return {layers, kv_heads, head_dim()}; }
};

// The layers of a Qwen2 decoder with its final norm (transformers:models/qwen2), or of BAGEL's, where every
// layer has two experts (ByteDance-Seed/Bagel:modeling/bagel/qwen2_navit.py): understanding tokens run
// through und, latent tokens through gen, and both share one attention.
//
//        understanding tokens             latent tokens
//               |                               |
//        norm, q k v, qk-norm          norm, q k v, qk-norm   (gen)
//                \________ attention ___________/
//               |    (past, und, gen)           |
//           o_proj, mlp                    o_proj, mlp        (gen, or an expert pool shared by both)
//
// Functional over named tensors, which it shares. Copies share them too. Thread-safe while nobody changes the
// tensors.
class Decoder {
 public:
  // Tensor names are prefix + "model.layers.0.mlp.up_proj.weight" and so on; the gen expert's carry
  // `gen_suffix` ("mlp_moe_gen.up_proj", "q_proj_moe_gen"). Empty: there is only und. All are required but
  // QK-norms, biases and adapters.
  Decoder(const DecoderConfig& config, const TensorMap& tensors, const std::string& prefix,
          const std::string& gen_suffix);

  // The two token streams of one batch, und in front along the token axis. Either may be undefined.
  struct Streams {
    torch::Tensor und, gen;  // [B, Tu, H], [B, Tg, H]
  };
  // Consecutive rows of a batch and their past: a cache of batch 1 or `rows`, or null. mask bool, broadcast
  // to [rows, Tu + Tg, L + Tu + Tg], true: attended to; undefined: no mask.
  struct Segment {
    const KvCache* past;
    int64_t rows;
    torch::Tensor mask = {};
    // A decode step, instead of `past`: each row appends one token to its slot. Then there is one segment.
    KvTable* table = nullptr;
  };
  // Captures the residual streams after the first `after_layers` layers.
  struct Tap {
    int64_t after_layers = 0;
    Streams hidden;
  };
  // Runs all layers and the final norm. positions int64 [B or 1, Tu + Tg]. The rows of the segments add up to
  // B; with `grown` there is one segment, whose keys and values, past followed by new, are stored there.
  // Fills `tap`.
  Streams Run(const Streams& x, const torch::Tensor& positions, std::span<const Segment> segments,
              KvCache* grown, Tap* tap = nullptr) const;

  KvShape kv_shape() const { return config_.kv_shape(); }

  // One decode step: appends one token, embedded [R, H], to each of the first R slots: hidden after the final
  // norm, [R, H].
  torch::Tensor Step(KvTable& table, const torch::Tensor& embedded) const;

 private:
  struct Expert {  // one set of weights of one layer
    LinearLayer qkv, o, gate_up, down;
    torch::Tensor q_norm, k_norm, input_norm, post_norm;
  };
  struct Layer {
    Expert und, gen;
    ExpertPool pool;  // with a top_k router, instead of the experts' gate_up and down
  };
  // All segments' attention in one layer: [B, T, H].
  torch::Tensor Attend(size_t layer, const Heads& heads, std::span<const Segment> segments,
                       KvCache* grown) const;
  Expert ResolveExpert(const TensorMap& tensors, const std::string& prefix, const std::string& suffix) const;

  DecoderConfig config_;
  std::vector<Layer> layers_;
  torch::Tensor norms_[2];     // final norms of und and gen
  torch::Tensor frequencies_;  // RoPE, [head_dim / 2]
};

}  // namespace lvrpo
