#pragma once

#include <array>
#include <string>
#include <vector>

#include "model/config/router_config.h"
#include "model/weights/linear_layer.h"
#include "model/weights/weights.h"

namespace lvrpo {

// The mixture-of-experts MLP of a layer whose router is top_k: a pool of gated MLPs shared by tokens of both
// kinds, and a learned router that sends each token to a few of them (paper, equation 15 and App. A).
//
//   s = gate(x) + modality_bias[kind of the token]              [E], at least fp32
//   y = sum over the k experts with the largest s of softmax(those k scores) * expert(x)
//
// Names below `prefix` ("...layers.0.mlp."): gate.weight [E, H], gate.modality_bias [2, E] (row 0:
// understanding tokens, row 1: latent tokens), experts.<e>.{gate,up,down}_proj.weight.
// Rows are as independent as LinearLayer's. Thread-safe while nobody changes the tensors.
class ExpertPool {
 public:
  ExpertPool() = default;
  // `layer`: where ExpertLoad counts this pool's tokens.
  ExpertPool(const TensorMap& tensors, const std::string& prefix, const RouterConfig& router, int64_t layer,
             double lora_scale);

  // Tokens of one kind, x [..., H] -> [..., H]. Gradients reach gate, bias and the experts chosen.
  torch::Tensor operator()(const torch::Tensor& x, TokenKind kind) const;

  // Names and shapes.
  static void AddTensors(ShapeMap& shapes, const std::string& prefix, const RouterConfig& router,
                         int64_t hidden, int64_t mlp);

 private:
  struct Expert {
    LinearLayer gate_up, down;
  };
  LinearLayer gate_;
  torch::Tensor modality_bias_;
  std::vector<Expert> experts_;
  int64_t per_token_ = 0, layer_ = 0;
};

// Counts, while it lives, the tokens that the routers of this thread's forward passes send to each expert.
// One at a time per thread.
class ExpertLoad {
 public:
  ExpertLoad();
  ~ExpertLoad();
  ExpertLoad(const ExpertLoad&) = delete;
  ExpertLoad& operator=(const ExpertLoad&) = delete;

  // exp(entropy of the experts' shares of a kind's tokens), mean over the layers: 1 when all go to one
  // expert, the number of experts when the load is balanced. 0: no tokens.
  double EffectiveExperts(TokenKind kind) const;
  // The largest share of a kind's tokens that goes to one expert, mean over the layers. 0: no tokens.
  double LargestShare(TokenKind kind) const;

  // Tokens by [kind][layer][expert] of a model of that size, and back: for sums over processes.
  std::vector<double> Counts(int64_t layers, int64_t experts) const;
  void SetCounts(const std::vector<double>& counts, int64_t layers, int64_t experts);

 private:
  friend class ExpertPool;
  void Count(int64_t layer, TokenKind kind, const torch::Tensor& tokens_per_expert);
  // `figure` of the shares of a kind's tokens, mean over the layers.
  template <typename Figure>
  double Mean(TokenKind kind, const Figure& figure) const;

  std::array<std::vector<torch::Tensor>, 2> counts_;  // [kind][layer], int64 [E]; undefined: no tokens
  ExpertLoad* outer_;
};

}  // namespace lvrpo
