#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "data/tokenizer/tokenizer.h"
#include "model/gemma.h"
#include "model/siglip.h"
#include "model/weights/stored_weights.h"

namespace lvrpo {

// Settings of a PaliGemma (config.json of transformers' PaliGemmaForConditionalGeneration).
struct PaliGemmaConfig {
  SiglipTowerConfig vision;
  int64_t image_size = 224, patch_size = 16;  // pixels
  GemmaConfig text;

  int64_t grid() const { return image_size / patch_size; }
  int64_t image_tokens() const { return grid() * grid(); }  // N

  // InvalidArgument names every setting that is missing, of a wrong type, out of range or not supported
  // (PaliGemma 2, whose language model is a gemma2, among them), and the model's type when it is another one.
  static absl::StatusOr<PaliGemmaConfig> FromJson(const nlohmann::json& json, const std::string& source);
  // What is inconsistent among the sizes, "" when nothing is.
  std::string SizeProblem() const;
  nlohmann::json ToJson() const;  // the published form
};

// PaliGemma 1 (transformers:models/paligemma; google-research/big_vision:models/proj/paligemma), a model that
// answers questions about an image.
//
//   pixels -> SigLIP's patches after post_layernorm -> linear --.
//                                                               |--> Gemma -> the answer's tokens
//   <bos> question "\n" -> embeddings -------------------------'
//
// Prefix-LM mask: image and question attend to each other both ways, the answer is causal. Positions count
// from 1, the image's tokens first.
//
// Functional over named tensors (the published names). Computes in the dtype of its weights. Copies share the
// tensors. Thread-safe while nobody changes the tensors.
class PaliGemma {
 public:
  // DataLoss when the tensors do not fit the configuration.
  static absl::StatusOr<PaliGemma> Create(PaliGemmaConfig config, TensorMap tensors,
                                          const std::string& source);
  // Reads config.json and model.safetensors, or its shards, of a published folder.
  static absl::StatusOr<PaliGemma> Load(const std::string& folder, const WeightReadOptions& options = {});
  static ShapeMap ExpectedTensors(const PaliGemmaConfig& config);
  static TensorMap RandomInit(const PaliGemmaConfig& config, uint64_t seed);

  // Pixels, ids and lengths may be in the host's memory; what comes out is on the weights' device.

  // Pixels [B, 3, S, S] of the configuration's size, normalised as SigLIP's
  // (data/transforms/siglip_transform.h): the language model's image tokens, [B, N, H].
  torch::Tensor ImageTokens(const torch::Tensor& pixels) const;

  // A prefilled image and question.
  struct Prefix {
    KvCache cache;         // N + L tokens
    torch::Tensor hidden;  // [B, H], at the question's last token, which predicts the answer's first
  };
  // image_tokens [B or 1, N, H]: one image serves any number of questions. ids int64 [B, L] padded at the
  // end, lengths int64 [B], 1 .. L; a question begins with <bos> and ends with the token of "\n". Padding
  // changes nothing.
  Prefix ReadPrefix(const torch::Tensor& image_tokens, const torch::Tensor& ids,
                    const torch::Tensor& lengths) const;
  torch::Tensor Logits(const torch::Tensor& hidden) const;  // [..., H] -> fp32 [..., V]

  // log p of each token of an answer given the prefix and the tokens before it, in nats: fp32 [B, M]. ids
  // int64 [B, M], M at least 1, padded at the end; end with <eos> for the probability of a complete answer.
  // `lengths` int64 [B]: log p is 0 past them; undefined: no padding.
  torch::Tensor SuffixLogProbs(const Prefix& prefix, const torch::Tensor& ids,
                               const torch::Tensor& lengths = {}) const;

  const PaliGemmaConfig& config() const { return config_; }
  const TensorMap& tensors() const { return tensors_; }

 private:
  PaliGemma(PaliGemmaConfig config, TensorMap tensors);

  PaliGemmaConfig config_;
  TensorMap tensors_;
  SiglipEncoder vision_;
  LinearLayer projector_;
  Gemma text_;
};

// A question's ids for ReadPrefix: <bos>, its tokens, and "\n" as a separate token. The tokenizer is
// the model's, loaded without control tokens. FailedPrecondition: it has no <bos>; InvalidArgument: the
// question cannot be encoded.
absl::StatusOr<std::vector<int64_t>> PaliGemmaPrefixIds(const Tokenizer& tokenizer,
                                                        absl::string_view question);

}  // namespace lvrpo
