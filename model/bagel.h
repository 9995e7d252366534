#pragma once

#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/bagel_config.h"
#include "model/layers/decoder.h"
#include "model/layers/kv_cache.h"
#include "model/layers/siglip_encoder.h"
#include "model/weights/lora.h"
#include "model/weights/stored_weights.h"
#include "model/weights/weights.h"

namespace lvrpo {

// Guidance of one denoising call (ByteDance-Seed/Bagel:modeling/bagel/bagel.py, _forward_flow).
struct GuidanceOptions {
  double text_scale = 1;  // 1 switches all guidance off
  double image_scale = 1;
  double interval_low = 0, interval_high = 1;  // guidance acts where low < t <= high
  enum class Renorm { kGlobal, kChannel, kTextChannel } renorm = Renorm::kGlobal;
  double renorm_min = 0;

  // The options for samples that are all at time t: outside the interval guidance is off, and its branches
  // are not computed.
  GuidanceOptions At(double t) const {
    GuidanceOptions options = *this;
    if (!(interval_low < t && t <= interval_high)) options.text_scale = 1;
    return options;
  }
};

// BAGEL: one transformer whose every layer has two experts. Text, ViT and start/end-of-image tokens run
// through the understanding expert (und), latent tokens through the generation expert (gen, names with
// _moe_gen); both share one attention. model/layers/decoder.h draws it.
//
// Functional over named tensors (the names of ema.safetensors), so that gradients reach whichever of them
// require grad, and new weights are a new object that costs nothing. Copies share the tensors. Thread-safe
// while nobody changes the tensors.
class Bagel : public TextDecoder {
 public:
  // DataLoss when the tensors do not fit the configuration. With `lora` they include adapters
  // (model/weights/lora.h) of any linear layers.
  static absl::StatusOr<Bagel> Create(BagelConfig config, TensorMap tensors, const std::string& source,
                                      const std::optional<LoraConfig>& lora = std::nullopt);
  // Reads a published folder (model/bagel_folder.h), by default as fp32.
  static absl::StatusOr<Bagel> Load(const std::string& folder, const WeightReadOptions& options = {});
  // The same model with some tensors replaced; those of another device are copied to this one's. DataLoss
  // when one of them does not belong to it.
  absl::StatusOr<Bagel> WithTensors(const TensorMap& replaced, const std::string& source) const;
  // The same model with the weights of its decoder layers from `source`, which must outlive it, its copies
  // and their graphs. tensors() are the others. For one thread.
  Bagel WithLayersFrom(LayerSource& source) const;
  // Of a tensor in a decoder layer: the layer's number.
  static std::optional<int64_t> LayerOf(const std::string& name);
  static ShapeMap ExpectedTensors(const BagelConfig& config);
  // gen is a copy of und, llm2vae zero, position tables as published.
  static TensorMap RandomInit(const BagelConfig& config, uint64_t seed);

  // --- Contexts. Each appends one segment to a cache and returns the segment's hidden states after the final
  // norm, [B, T, H]. A cache of batch 1 is expanded to the segment's batch. Ids and pixels may be in the
  // host's memory; latents and caches are on the model's device, where everything that comes out is.

  // Token ids [B, T], causal; the caller adds bos and eos. One position each.
  torch::Tensor AppendTokens(KvCache& cache, const torch::Tensor& ids) const;
  // start-of-image, ViT tokens, end-of-image; full attention inside; one shared position.
  // pixels [B, 3, H, W] in [-1, 1].
  torch::Tensor AppendImage(KvCache& cache, const torch::Tensor& pixels) const;
  // start-of-image, clean latent tokens [B, N, D] at t = 0 through gen, end-of-image.
  torch::Tensor AppendLatents(KvCache& cache, const torch::Tensor& tokens, int64_t grid_h,
                              int64_t grid_w) const;
  // bos, ids, eos, the same in every row of the cache.
  void AppendPrompt(KvCache& cache, const std::vector<int32_t>& ids) const;
  // AppendPrompt on an empty cache.
  KvCache PrefillPrompt(const std::vector<int32_t>& ids) const;
  // A question about each image of a batch: the image segment, then bos, ids, eos. pixels [B, 3, H, W] in
  // [-1, 1].
  KvCache PrefillQuestion(const torch::Tensor& pixels, const std::vector<int32_t>& ids) const;

  // --- Images. v = noise - data of the latent tokens x_t [B, N, D] at times t [B]; D = token_dim.
  // The cache is shared (batch 1) or per sample (batch B); it is not changed.
  torch::Tensor Velocity(const KvCache& cache, const torch::Tensor& x_t, const torch::Tensor& t,
                         int64_t grid_h, int64_t grid_w) const;
  // Samples of several contexts in one forward: rows of x_t in the order of the contexts, each of batch 1 or
  // `rows`. Linear layers run over all rows at once; attention runs per context, without padding.
  struct ContextRows {
    const KvCache* cache;
    int64_t rows;
  };
  torch::Tensor Velocity(std::span<const ContextRows> contexts, const torch::Tensor& x_t,
                         const torch::Tensor& t, int64_t grid_h, int64_t grid_w) const;
  // With guidance, all branches in one forward. The scale and the renormalisation act per sample.
  struct GuidedContext {
    const KvCache* full;
    const KvCache* text_free;   // without the last text
    const KvCache* image_free;  // only the texts; text-to-image: the same pointer as `full`, and no third
                                // branch is computed
    int64_t rows;
  };
  torch::Tensor GuidedVelocity(std::span<const GuidedContext> contexts, const torch::Tensor& x_t,
                               const torch::Tensor& t, int64_t grid_h, int64_t grid_w,
                               const GuidanceOptions& options) const;
  // All rows in one context. Text-to-image passes the same object as `cache` and `image_free`.
  torch::Tensor GuidedVelocity(const KvCache& cache, const KvCache& text_free, const KvCache& image_free,
                               const torch::Tensor& x_t, const torch::Tensor& t, int64_t grid_h,
                               int64_t grid_w, const GuidanceOptions& options) const {
    const GuidedContext context = {&cache, &text_free, &image_free, x_t.size(0)};
    return GuidedVelocity(std::span(&context, 1), x_t, t, grid_h, grid_w, options);
  }

  // Whether a sample's velocity is the same bits whatever else is in its batch: every layer uses our own GEMM
  // (model/kernels/README.md), without expert pools and adapters. Then, with gradients off, GuidedVelocity
  // splits the samples between the threads.
  bool SamplesAreIndependent() const;

  // --- Text.
  // Appends one token, ids int64 [R], to each of the first R slots: hidden after the final norm, [R, H].
  torch::Tensor DecodeTokens(KvTable& table, const torch::Tensor& ids) const override;
  torch::Tensor Logits(const torch::Tensor& hidden) const override;  // [..., H] -> [..., V]
  KvTable MakeKvTable(int64_t slots, int64_t capacity) const override;
  int64_t SlotBytes(int64_t capacity) const override;
  // log p(response | context) per token, [B, L]: the response follows bos. `responses` int64 [B, L], padded
  // at the end with any id. Shared or per-sample cache. Divides logits by `temperature`.
  torch::Tensor ResponseLogProbs(const KvCache& cache, const torch::Tensor& responses,
                                 double temperature) const;

  // --- Training (model/bagel_training.cc). All sequences of a call in one padded batch.
  struct TextToImage {
    torch::Tensor velocity;     // [B, N, D]
    torch::Tensor text_hidden;  // [B, L, H], after the final norm; undefined past each sample's length
    torch::Tensor tapped;  // [B, N, H]: the latents' residual stream after `tap_layer` layers; 0: undefined
  };
  // captions int64 [B, L] with bos and eos, padded at the end; lengths int64 [B], 0 = no caption.
  TextToImage ForwardTextToImage(const torch::Tensor& captions, const torch::Tensor& lengths,
                                 const torch::Tensor& x_t, const torch::Tensor& t, int64_t grid_h,
                                 int64_t grid_w, int64_t tap_layer = 0) const;
  // An image segment, then text int64 [B, L] (padded at the end) -> hidden of the text, [B, L, H].
  torch::Tensor ForwardUnderstanding(const torch::Tensor& pixels, const torch::Tensor& text) const;

  // Any packed sequence of T tokens (training forward of the reference). All index tensors int64.
  struct Packed {
    torch::Tensor text_ids, text_indexes;                                   // [n]
    torch::Tensor vit_patches, vit_positions, vit_indexes;                  // [m, 3 p p], [m], [m]
    std::vector<int64_t> vit_lengths;                                       // tokens of each image
    torch::Tensor latents, latent_times, latent_positions, latent_indexes;  // [k, D], [k], [k], [k]
    torch::Tensor positions;                                                // [T]
    torch::Tensor allowed;                                                  // bool [T, T]
  };
  // Hidden states after the final norms, in sequence order, [T, H].
  torch::Tensor ForwardPacked(const Packed& packed) const;

  // --- Parts, for tests and the training forward.
  torch::Tensor VitTokens(
      const torch::Tensor& pixels) const;  // [B, 3, H, W] -> [B, N, Dv], after post_layernorm
  torch::Tensor VitPatches(
      const torch::Tensor& pixels) const;  // -> [B, N, 3 p p], order (y, x, channel) inside a patch
  torch::Tensor EncodePatches(const torch::Tensor& patches,
                              const torch::Tensor& positions) const;  // [B,N,..],[N]
  torch::Tensor Connect(const torch::Tensor& vit_tokens) const;       // -> [B, N, H], without positions
  torch::Tensor EmbedImage(const torch::Tensor& vit_tokens,
                           const torch::Tensor& positions) const;  // connected, with positions [N]
  torch::Tensor EmbedTokens(const torch::Tensor& ids) const;
  torch::Tensor EmbedLatents(const torch::Tensor& x_t, const torch::Tensor& t,
                             const torch::Tensor& positions) const;
  torch::Tensor OutputVelocity(const torch::Tensor& hidden) const;      // llm2vae
  torch::Tensor LatentPositions(int64_t grid_h, int64_t grid_w) const;  // [N]
  torch::Tensor VitPositions(int64_t rows, int64_t columns) const;      // [N]

  const BagelConfig& config() const { return config_; }
  const TensorMap& tensors() const { return tensors_; }
  // The weights' dtype (adapters may differ). Velocities, logits and log-probs are always fp32.
  torch::Dtype dtype() const { return final_norm().scalar_type(); }
  torch::Device device() const { return final_norm().device(); }

 private:
  using Streams = Decoder::Streams;
  using Segment = Decoder::Segment;

  Bagel(BagelConfig config, TensorMap tensors, double lora_scale, LayerSource* source = nullptr);
  const torch::Tensor& final_norm() const { return tensors_.at("language_model.model.norm.weight"); }
  torch::Tensor IdTensor(const std::vector<int64_t>& ids) const;
  torch::Tensor GridPositions(int64_t rows, int64_t columns, int64_t side) const;
  torch::Tensor StartAndEnd(int64_t batch) const;  // [B, 2, H]
  // GuidedVelocity, all rows in one forward.
  torch::Tensor GuidedForward(std::span<const GuidedContext> contexts, const torch::Tensor& x_t,
                              const torch::Tensor& t, int64_t grid_h, int64_t grid_w,
                              const GuidanceOptions& options) const;

  BagelConfig config_;
  TensorMap tensors_;
  double lora_scale_;
  LayerSource* source_;  // null: the layers are among tensors_
  Decoder decoder_;
  torch::Tensor image_ends_;  // int64 [2], on the weights' device: start and end of image
  LinearLayer head_, time_in_, time_out_, latent_in_, latent_out_, patch_embedding_;
  GeluMlp connector_;
  SiglipEncoder vit_;
};

// 2-D sine-cosine table [side * side, dim]: first half from the column, second from the row, each [sin, cos]
// (Bagel:modeling/bagel/modeling_utils.py get_2d_sincos_pos_embed).
torch::Tensor SinCosTable(int64_t dim, int64_t side);

// [cos(t f), sin(t f)] with f_j = 10000^(-j/128), t not scaled: [n] -> [n, 256].
torch::Tensor TimestepEmbedding(const torch::Tensor& t);

}  // namespace lvrpo
