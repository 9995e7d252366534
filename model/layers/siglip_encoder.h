#pragma once

#include <string>
#include <vector>

#include "model/weights/linear_layer.h"
#include "model/weights/weights.h"

namespace lvrpo {

// fc2(gelu(fc1(x))), layers prefix + "fc1" and prefix + "fc2", with a choice of GELU.
class GeluMlp {
 public:
  GeluMlp() = default;
  GeluMlp(const TensorMap& tensors, const std::string& prefix, double lora_scale = 0,
          Activation gelu = Activation::kGelu)
      : first_(tensors, {prefix + "fc1"}, lora_scale),
        second_(tensors, {prefix + "fc2"}, lora_scale),
        gelu_(gelu) {}
  torch::Tensor operator()(const torch::Tensor& x) const {
    return LinearLayer::Mlp(first_, gelu_, second_, x);
  }

 private:
  LinearLayer first_, second_;
  Activation gelu_ = Activation::kGelu;
};

// The pre-LN encoder of SigLIP's towers, of BAGEL's ViT (transformers:models/siglip) and, with another GELU,
// of CLIP's towers, which OWLv2 has (transformers:models/clip). A layer is
//   x += out_proj(MHA(layer_norm1(x)));  x += fc2(gelu(fc1(layer_norm2(x))))
// Functional over named tensors, which it shares. Thread-safe while nobody changes them.
class SiglipEncoder {
 public:
  SiglipEncoder() = default;
  // Layer i's names begin with prefix + "i." ("vision_model.encoder.layers." as the prefix).
  SiglipEncoder(const TensorMap& tensors, const std::string& prefix, int64_t layers, int64_t heads,
                double eps, double lora_scale = 0, Activation gelu = Activation::kGelu);

  // [B, T, D] -> [B, T, D]. `mask`: bool, broadcast to [B, T, T], true: attended to; or undefined.
  torch::Tensor operator()(torch::Tensor x, const torch::Tensor& mask = {}) const;

  // Names and shapes of one layer.
  static void AddLayer(ShapeMap& shapes, const std::string& prefix, int64_t width, int64_t mlp);

 private:
  struct Norm {
    torch::Tensor weight, bias;
  };
  struct Layer {
    Norm norm1, norm2;
    LinearLayer qkv, out;
    GeluMlp mlp;
  };
  std::vector<Layer> layers_;
  int64_t heads_ = 0;
  double eps_ = 0;
};

torch::Tensor LayerNorm(const torch::Tensor& x, const TensorMap& tensors, const std::string& name,
                        double eps);

}  // namespace lvrpo
