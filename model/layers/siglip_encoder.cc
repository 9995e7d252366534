#include "model/layers/siglip_encoder.h"

#include "absl/strings/str_cat.h"
#include "model/kernels/attention.h"

namespace lvrpo {

torch::Tensor LayerNorm(const torch::Tensor& x, const TensorMap& tensors, const std::string& name,
                        double eps) {
  return torch::layer_norm(x, {x.size(-1)}, tensors.at(name + ".weight"), tensors.at(name + ".bias"), eps);
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
  const auto normed = [&](const torch::Tensor& in, const Norm& norm) {
    return torch::layer_norm(in, {in.size(-1)}, norm.weight, norm.bias, eps_);
  };
  for (const Layer& layer : layers_) {
    const std::vector<torch::Tensor> qkv = layer.qkv(normed(x, layer.norm1)).chunk(3, -1);
    x = x + layer.out(Attention(SplitHeads(qkv[0], heads_), SplitHeads(qkv[1], heads_),
                                SplitHeads(qkv[2], heads_), mask));
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
