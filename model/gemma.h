#pragma once

#include <string>
#include <vector>

#include "model/config/config_reader.h"
#include "model/kernels/fused_linear.h"
#include "model/kernels/fused_ops.h"
#include "model/layers/kv_cache.h"
#include "model/weights/linear_layer.h"
#include "model/weights/weights.h"

namespace lvrpo {

// Settings of a Gemma language model of the first generation (transformers' GemmaConfig).
struct GemmaConfig {
  int64_t hidden = 0, mlp = 0, layers = 0, heads = 0, kv_heads = 0, vocabulary = 0;
  int64_t head_dim = 256;  // independent: heads * head_dim need not be `hidden`
  double rms_eps = 1e-6, rope_theta = 1e4;

  // Reads the JSON and reports every setting that is missing or unsupported: another generation, another
  // activation, biases, an untied head, scaled RoPE, quantised weights.
  void ReadFrom(ConfigReader& reader);
  // What is inconsistent among the sizes, "" when nothing is.
  std::string SizeProblem() const;
  nlohmann::json ToJson() const;  // the published form
};

// Gemma (transformers:models/gemma/modeling_gemma.py; google-research/big_vision:models/ppp/gemma.py),
// functional over named tensors, which it shares. A layer is
//   x += o_proj(attention(norm(x)));  x += down_proj(gelu_tanh(gate_proj(norm'(x))) * up_proj(norm'(x)))
// with norm(x) = x / rms(x) * (1 + weight), RoPE on queries and keys, no biases, and the embedding table as
// head. The caller gives the attention mask. Computes in the dtype of its weights. Copies share the
// tensors. Thread-safe while nobody changes them.
class Gemma {
 public:
  // The tensors' names are prefix + "model.layers.0.mlp.up_proj.weight" and so on; all must be there.
  Gemma(const GemmaConfig& config, const TensorMap& tensors, const std::string& prefix);
  static void AddShapes(ShapeMap& shapes, const GemmaConfig& config, const std::string& prefix);

  // ids int64 [...] -> [..., H], scaled by sqrt(H).
  torch::Tensor Embed(const torch::Tensor& ids) const;
  // Runs embedded tokens x [B, T, H] after a cache of L past tokens, to which their keys and values are
  // appended (`valid` and `next_position` are left to the caller). positions int64 [B or 1, T]; mask bool
  // [B or 1, T, L + T], true: attended to; undefined: no mask. Returns hidden after the final norm, [B, T,
  // H].
  torch::Tensor Append(KvCache& cache, torch::Tensor x, const torch::Tensor& positions,
                       const torch::Tensor& mask) const;
  torch::Tensor Logits(const torch::Tensor& hidden) const;  // [..., H] -> fp32 [..., V]

 private:
  struct Layer {
    torch::Tensor input_norm, post_norm;
    LinearLayer qkv, o, gate_up, down;
  };
  torch::Tensor Norm(const torch::Tensor& x, const torch::Tensor& weight) const;

  GemmaConfig config_;
  torch::Tensor embeddings_, norm_;
  std::vector<Layer> layers_;
  FusedLinear head_;
  torch::Tensor frequencies_;  // RoPE, [head_dim / 2]
};

}  // namespace lvrpo
