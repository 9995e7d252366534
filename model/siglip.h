#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "model/kernels/fused_linear.h"
#include "model/kernels/fused_ops.h"
#include "model/layers/siglip_encoder.h"
#include "model/weights/weights.h"
#include "nlohmann/json.hpp"

namespace lvrpo {

struct SiglipTowerConfig {
  int64_t width = 768, layers = 12, heads = 12, mlp = 3072;
  double eps = 1e-6;
  Activation gelu = Activation::kGelu;
};

// Settings of a fixed-resolution or NaFlex SigLIP 2 (config.json of transformers' SiglipModel or
// Siglip2Model).
struct SiglipConfig {
  SiglipTowerConfig vision, text;
  int64_t image_size = 224;  // fixed resolution only
  int64_t patch_size = 16;
  int64_t num_patches = 256;  // NaFlex: rows of the position table
  bool naflex = false;
  bool use_head = true;    // false: no pooling head
  bool calibrated = true;  // false: saved without logit_scale and logit_bias
  int64_t vocabulary = 256000, text_length = 64;
  int64_t projection = 768;  // width of the shared space

  int64_t grid() const { return image_size / patch_size; }
  // InvalidArgument names every setting that is of a wrong type, out of range, not supported or unknown.
  static absl::StatusOr<SiglipConfig> FromJson(const nlohmann::json& json, const std::string& source);
  nlohmann::json ToJson() const;
};

// SigLIP 2 (transformers:models/siglip, models/siglip2), functional over named tensors. Copies share the
// tensors. Thread-safe while nobody changes the tensors.
class Siglip {
 public:
  static absl::StatusOr<Siglip> Create(SiglipConfig config, TensorMap tensors, const std::string& source);
  // Reads config.json and model.safetensors, or its shards, of a published folder, also one saved without
  // scale and bias, or with a common prefix ("model.vision_model. ...").
  static absl::StatusOr<Siglip> Load(const std::string& folder);
  static ShapeMap ExpectedTensors(const SiglipConfig& config);
  static TensorMap RandomInit(const SiglipConfig& config, uint64_t seed);

  // Pixels, masks and ids may be in the host's memory; what comes out is on the weights' device.

  // Tokens after post_layernorm, [B, N, D]. Fixed resolution: pixels [B, 3, S, S].
  torch::Tensor VisionTokens(const torch::Tensor& pixels) const;
  // NaFlex: patches [B, N, 3*p*p], mask [B, N] (1 = valid), shapes [B, 2] int64 (rows, columns).
  torch::Tensor VisionTokens(const torch::Tensor& patches, const torch::Tensor& mask,
                             const torch::Tensor& shapes) const;

  // The pooling head: [B, N, D] -> [B, D]. `keys`: bool [B, N], false: masked; undefined: no mask.
  torch::Tensor Pool(const torch::Tensor& tokens, const torch::Tensor& keys = {}) const;
  // The pooling head on each token alone, [B, N, D] -> [B, N, D]: softmax over one key is 1, so the head
  // reduces to its value and output projections and its MLP. The vectors are in the text's space.
  torch::Tensor DenseTokens(const torch::Tensor& tokens) const;

  // Hidden states after final_layer_norm [B, L, Dt], and their projection at the last position [B, P].
  // Pads are attended to and the last position is pooled, as the model was trained.
  torch::Tensor TextTokens(const torch::Tensor& ids) const;
  torch::Tensor PoolText(const torch::Tensor& tokens) const;
  torch::Tensor Text(const torch::Tensor& ids) const { return PoolText(TextTokens(ids)); }

  // REQUIRES calibrated.
  torch::Tensor logit_scale() const { return tensors_.at("logit_scale").exp(); }  // [1]
  torch::Tensor logit_bias() const { return tensors_.at("logit_bias"); }          // [1]

  const SiglipConfig& config() const { return config_; }
  const TensorMap& tensors() const { return tensors_; }

 private:
  Siglip(SiglipConfig config, TensorMap tensors);
  // Rows of the pooling head's fused q, k, v projection. `kind`: "weight" [D, D] or "bias" [D].
  enum HeadPart { kQuery, kKey, kValue };
  torch::Tensor HeadProjection(HeadPart part, const char* kind) const;
  // The pooling head after its attention: out_proj, then the MLP with its residual.
  torch::Tensor FinishPooling(const torch::Tensor& attended) const;

  SiglipConfig config_;
  TensorMap tensors_;
  SiglipEncoder vision_, text_;
  FusedLinear head_value_;
  LinearLayer head_out_, text_head_;
  GeluMlp head_mlp_;
};

// x / |x|, no epsilon, along the last dimension.
torch::Tensor UnitLength(const torch::Tensor& x);

}  // namespace lvrpo
