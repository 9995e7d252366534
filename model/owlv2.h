#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "model/layers/siglip_encoder.h"
#include "model/owlv2_config.h"
#include "model/weights/stored_weights.h"
#include "model/weights/weights.h"

namespace lvrpo {

// The text queries of a detector. One set for all images of a batch (first dimension 1), or one for each.
struct Owlv2Queries {
  torch::Tensor embeds;  // [B or 1, Q, P], unit length
  torch::Tensor real;    // bool [B or 1, Q]; false: padding, which is never found
};

// The prediction of every patch of every image; N patches, row-major from the upper left.
struct Owlv2Prediction {
  torch::Tensor logits;      // fp32 [B, N, Q]; sigmoid: confidence that the patch's box holds the query.
                             // The lowest float for a query that is padding
  torch::Tensor boxes;       // [B, N, 4]: centre x, centre y, width, height in sides of the padded image
  torch::Tensor objectness;  // [B, N], logits: whether the box holds anything; not part of `logits`
  torch::Tensor class_embeds, raw_class_embeds;  // [B, N, P], unit length (to 1e-6), and as projected
};

// OWLv2 (transformers:models/owlv2/modeling_owlv2.py), an open-vocabulary detector.
//
//   pixels -> patches, class token -> pre-LN -> CLIP ViT -> post-LN -> tokens x class token -> LN  [B, N, H]
//                                                                        |        |         |
//   query ids -> causal CLIP text -> token at eos -> projection -> class head  box head  objectness head
//
// Functional over named tensors (the published names). Computes in the dtype of its weights. Copies share the
// tensors. Thread-safe while nobody changes the tensors.
class Owlv2 {
 public:
  // DataLoss when the tensors do not fit the configuration.
  static absl::StatusOr<Owlv2> Create(Owlv2Config config, TensorMap tensors, const std::string& source);
  // Reads config.json and model.safetensors, or its shards, of a published folder. Tensors that only
  // contrastive training uses (logit_scale, visual_projection) are ignored.
  static absl::StatusOr<Owlv2> Load(const std::string& folder, const WeightReadOptions& options = {});
  static ShapeMap ExpectedTensors(const Owlv2Config& config);
  static TensorMap RandomInit(const Owlv2Config& config, uint64_t seed);

  // Ids and pixels may be in the host's memory; what comes out is on the weights' device.

  // ids int64 [T, L], L at most the configuration's text_length, below the vocabulary's size. Hidden states
  // after final_layer_norm, [T, L, D]; causal.
  torch::Tensor TextTokens(const torch::Tensor& ids) const;
  // The hidden state at the first of the row's largest ids, the position of eos: [T, D].
  torch::Tensor PoolText(const torch::Tensor& tokens, const torch::Tensor& ids) const;
  torch::Tensor ProjectText(const torch::Tensor& pooled) const;  // [T, D] -> [T, P]
  // ids int64 [B or 1, Q, L]. A query whose first id is 0 is padding.
  Owlv2Queries Queries(const torch::Tensor& ids) const;

  // Pixels [B, 3, S, S] of the configuration's size, as data/transforms/owlv2_transform.h makes them; those
  // beyond the last whole patch are ignored. Output of the encoder, class token first, [B, 1 + N, H].
  torch::Tensor EncodeImage(const torch::Tensor& pixels) const;
  torch::Tensor PostNorm(const torch::Tensor& tokens) const;  // per token
  // The heads' input, after PostNorm: layer_norm(patches * class token), [B, N, H].
  torch::Tensor MergeClassToken(const torch::Tensor& normed) const;
  torch::Tensor ImageEmbeds(const torch::Tensor& pixels) const {
    return MergeClassToken(PostNorm(EncodeImage(pixels)));
  }

  // image_embeds [B, N, H].
  Owlv2Prediction Predict(const torch::Tensor& image_embeds, const Owlv2Queries& queries) const;
  // What is added to the box head's output before the sigmoid, fp32 [N, 4]: a box one patch large whose
  // centre is the patch's lower right corner.
  torch::Tensor BoxBias() const;

  const Owlv2Config& config() const { return config_; }
  const TensorMap& tensors() const { return tensors_; }

 private:
  // dense2(gelu(dense1(gelu(dense0(x)))))
  struct Head {
    LinearLayer dense0, dense1, dense2;
    torch::Tensor operator()(const torch::Tensor& x) const;
  };

  Owlv2(Owlv2Config config, TensorMap tensors);

  Owlv2Config config_;
  TensorMap tensors_;
  SiglipEncoder vision_, text_;
  LinearLayer text_projection_, class_, shift_and_scale_;
  Head box_, objectness_;
};

}  // namespace lvrpo
