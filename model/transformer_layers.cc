#include "model/transformer_layers.h"

namespace lvrpo {

torch::Tensor Linear(const torch::Tensor& x, const TensorMap& tensors, const std::string& name) {
  return torch::linear(x, tensors.at(name + ".weight"), tensors.at(name + ".bias"));
}

torch::Tensor LayerNorm(const torch::Tensor& x, const TensorMap& tensors, const std::string& name,
                        double eps) {
  return torch::layer_norm(x, {x.size(-1)}, tensors.at(name + ".weight"), tensors.at(name + ".bias"), eps);
}

torch::Tensor GeluMlp(const torch::Tensor& x, const TensorMap& tensors, const std::string& prefix) {
  return Linear(at::gelu(Linear(x, tensors, prefix + "fc1"), "tanh"), tensors, prefix + "fc2");
}

torch::Tensor SplitHeads(const torch::Tensor& x, int64_t heads) {
  return x.view({x.size(0), x.size(1), heads, x.size(2) / heads}).transpose(1, 2);
}

torch::Tensor MergeHeads(const torch::Tensor& x) {
  return x.transpose(1, 2).reshape({x.size(0), x.size(2), x.size(1) * x.size(3)});
}

torch::Tensor SiglipEncoderLayer(const torch::Tensor& x, const TensorMap& tensors, const std::string& prefix,
                                 int64_t heads, double eps, const torch::Tensor& mask) {
  const torch::Tensor normed = LayerNorm(x, tensors, prefix + "layer_norm1", eps);
  const auto project = [&](const char* name) {
    return SplitHeads(Linear(normed, tensors, prefix + "self_attn." + name), heads);
  };
  const torch::Tensor attended =
      at::scaled_dot_product_attention(project("q_proj"), project("k_proj"), project("v_proj"),
                                       mask.defined() ? std::optional<torch::Tensor>(mask) : std::nullopt);
  const torch::Tensor h = x + Linear(MergeHeads(attended), tensors, prefix + "self_attn.out_proj");
  return h + GeluMlp(LayerNorm(h, tensors, prefix + "layer_norm2", eps), tensors, prefix + "mlp.");
}

void AddSiglipEncoderLayer(ShapeMap& shapes, const std::string& prefix, int64_t width, int64_t mlp) {
  for (const char* name : {"layer_norm1", "layer_norm2"}) {
    shapes[prefix + name + ".weight"] = {width};
    shapes[prefix + name + ".bias"] = {width};
  }
  for (const char* name : {"q_proj", "k_proj", "v_proj", "out_proj"}) {
    shapes[prefix + "self_attn." + name + ".weight"] = {width, width};
    shapes[prefix + "self_attn." + name + ".bias"] = {width};
  }
  shapes[prefix + "mlp.fc1.weight"] = {mlp, width};
  shapes[prefix + "mlp.fc1.bias"] = {mlp};
  shapes[prefix + "mlp.fc2.weight"] = {width, mlp};
  shapes[prefix + "mlp.fc2.bias"] = {width};
}

}  // namespace lvrpo
