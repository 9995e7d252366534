#pragma once

#include <string>

#include "model/weights.h"

namespace lvrpo {

// A pre-LN SigLIP encoder layer, as SigLIP's towers and BAGEL's ViT have it (transformers:models/siglip):
//   x += out_proj(MHA(layer_norm1(x)));  x += fc2(gelu_tanh(fc1(layer_norm2(x))))
// `prefix` ends in '.', e.g. "vision_model.encoder.layers.0.". x: [B, T, D]; `mask`: additive or bool,
// broadcast to [B, heads, T, T], or undefined.
torch::Tensor SiglipEncoderLayer(const torch::Tensor& x, const TensorMap& tensors, const std::string& prefix,
                                 int64_t heads, double eps, const torch::Tensor& mask = {});

// Names and shapes of one such layer.
void AddSiglipEncoderLayer(ShapeMap& shapes, const std::string& prefix, int64_t width, int64_t mlp);

torch::Tensor Linear(const torch::Tensor& x, const TensorMap& tensors,
                     const std::string& name);  // .weight, .bias
torch::Tensor LayerNorm(const torch::Tensor& x, const TensorMap& tensors, const std::string& name,
                        double eps);
// fc2(gelu_tanh(fc1(x)))
torch::Tensor GeluMlp(const torch::Tensor& x, const TensorMap& tensors, const std::string& prefix);

// [B, T, D] -> [B, heads, T, D / heads] and back.
torch::Tensor SplitHeads(const torch::Tensor& x, int64_t heads);
torch::Tensor MergeHeads(const torch::Tensor& x);

}  // namespace lvrpo
