#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/layers/decoder_config.h"
#include "model/layers/decoder_layer.h"
#include "model/layers/kv_cache.h"
#include "model/layers/kv_table.h"
#include "model/layers/sourced_layers.h"
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
  // QK-norms, biases and adapters. With a `source`, which must outlive the decoder and its copies, the layers
  // come from there; then it is for one thread.
  Decoder(const DecoderConfig& config, const TensorMap& tensors, const std::string& prefix,
          const std::string& gen_suffix, LayerSource* source = nullptr);

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
  bool has_source() const { return sourced_.has_value(); }

  // One decode step: appends one token, embedded [R, H], to each of the first R slots: hidden after the final
  // norm, [R, H].
  torch::Tensor Step(KvTable& table, const torch::Tensor& embedded) const;

 private:
  LayerState RunLayer(int64_t layer, const LayerState& in, const LayerCall& call) const {
    return sourced_.has_value() ? sourced_->Run(layer, in, call)
                                : layers_[static_cast<size_t>(layer)](in, call);
  }

  DecoderConfig config_;
  std::vector<DecoderLayer> layers_;
  std::optional<SourcedLayers> sourced_;  // instead of layers_
  torch::Tensor norms_[2];                // final norms of und and gen
  torch::Tensor frequencies_;             // RoPE, [head_dim / 2]
};

}  // namespace lvrpo
