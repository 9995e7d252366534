#include "model/siglip_encoder.h"

#include "absl/strings/str_cat.h"

namespace lvrpo {

torch::Tensor LayerNorm(const torch::Tensor& x, const TensorMap& tensors, const std::string& name,
                        double eps) {
  return torch::layer_norm(x, {x.size(-1)}, tensors.at(name + ".weight"), tensors.at(name + ".bias"), eps);
}

torch::Tensor SplitHeads(const torch::Tensor& x, int64_t heads) {
  return x.view({x.size(0), x.size(1), heads, x.size(2) / heads}).transpose(1, 2);
}

torch::Tensor MergeHeads(const torch::Tensor& x) {
  return x.transpose(1, 2).reshape({x.size(0), x.size(2), x.size(1) * x.size(3)});
}

SiglipEncoder::SiglipEncoder(const TensorMap& tensors, const std::string& prefix, int64_t layers,
                             int64_t heads, double eps, double lora_scale, Activation gelu)
    : heads_(heads), eps_(eps) {
  for (int64_t i = 0; i < layers; ++i) {
    const std::string own = absl::StrCat(prefix, i, "."), attention = own + "self_attn.";
    const auto norm = [&](const char* name) {
      return Norm{tensors.at(own + name + ".weight"), tensors.at(own + name + ".bias")};
    };
    layers_.push_back(
        {.norm1 = norm("layer_norm1"),
         .norm2 = norm("layer_norm2"),
         .qkv = LinearLayer(tensors, {attention + "q_proj", attention + "k_proj", attention + "v_proj"},
                            lora_scale),
         .out = LinearLayer(tensors, {attention + "out_proj"}, lora_scale),
         .mlp = GeluMlp(tensors, own + "mlp.", lora_scale, gelu)});
  }
}

torch::Tensor SiglipEncoder::operator()(torch::Tensor x, const torch::Tensor& mask) const {
  const std::optional<torch::Tensor> seen =
      mask.defined() ? std::optional<torch::Tensor>(mask) : std::nullopt;
  const auto normed = [&](const torch::Tensor& in, const Norm& norm) {
    return torch::layer_norm(in, {in.size(-1)}, norm.weight, norm.bias, eps_);
  };
  for (const Layer& layer : layers_) {
    const std::vector<torch::Tensor> qkv = layer.qkv(normed(x, layer.norm1)).chunk(3, -1);
    const torch::Tensor attended = at::scaled_dot_product_attention(
        SplitHeads(qkv[0], heads_), SplitHeads(qkv[1], heads_), SplitHeads(qkv[2], heads_), seen);
    x = x + layer.out(MergeHeads(attended));
    x = x + layer.mlp(normed(x, layer.norm2));
  }
  return x;
}

void SiglipEncoder::AddLayer(ShapeMap& shapes, const std::string& prefix, int64_t width, int64_t mlp) {
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
