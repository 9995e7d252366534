#pragma once

#include <algorithm>
#include <string>

#include "gtest/gtest.h"
#include "model/bagel.h"
#include "model/siglip.h"

// Small random models, and helpers of their tests.
namespace lvrpo {

inline BagelConfig TinyConfig() {
  BagelConfig config;
  config.hidden = 32, config.mlp = 48, config.layers = 2, config.heads = 4, config.kv_heads = 2;
  config.vocabulary = 40;
  config.vit_hidden = 16, config.vit_mlp = 24, config.vit_layers = 1, config.vit_heads = 2,
  config.vit_patch = 8;
  config.vit_max_side = 4;
  config.latent_patch = 1, config.max_latent_side = 4;
  config.autoencoder.z_channels = 4;
  config.bos = 1, config.eos = 2, config.start_of_image = 3, config.end_of_image = 4;
  return config;
}

// Every weight random: biases, norms and llm2vae too; und and gen differ. Position tables are unchanged.
inline void Scramble(TensorMap& tensors, uint64_t seed) {
  torch::manual_seed(seed);
  for (auto& [name, tensor] : tensors) {
    if (name.find("pos_embed.pos_embed") == std::string::npos)
      tensor = tensor + (tensor.dim() < 2 ? .1 : .2) * torch::randn_like(tensor);
  }
}

inline Bagel TinyBagel() {
  TensorMap tensors = Bagel::RandomInit(TinyConfig(), 5);
  Scramble(tensors, 6);
  return *Bagel::Create(TinyConfig(), tensors, "test");
}

// The model with noise on one tensor.
inline Bagel Perturbed(const Bagel& model, const std::string& name) {
  torch::manual_seed(7);
  const torch::Tensor& tensor = model.tensors().at(name);
  return *model.WithTensors({{name, tensor + .3 * torch::randn_like(tensor)}}, "test");
}

inline SiglipConfig TinySiglipConfig() {
  SiglipConfig config;
  config.vision = {.width = 16, .layers = 2, .heads = 2, .mlp = 24};
  config.text = {.width = 20, .layers = 2, .heads = 4, .mlp = 28};
  config.image_size = 14,
  config.patch_size = 4;  // 3 x 3 patches; two rows and columns of pixels are left over
  config.vocabulary = 30, config.text_length = 6;
  config.projection = 16;
  return config;
}

inline Siglip TinySiglip(const SiglipConfig& config = TinySiglipConfig()) {
  TensorMap tensors = Siglip::RandomInit(config, 5);
  Scramble(tensors, 6);
  return *Siglip::Create(config, tensors, "test");
}

inline torch::Tensor Ids(const std::vector<int64_t>& ids) {
  return torch::tensor(ids, torch::kInt64).unsqueeze(0);
}

// The same shape, and no element further off than `tolerance`, relative to the largest element above 1.
inline ::testing::AssertionResult Close(const torch::Tensor& got, const torch::Tensor& expected,
                                        double tolerance = 5e-5) {
  if (got.sizes() != expected.sizes()) {
    return ::testing::AssertionFailure() << "shape " << got.sizes() << " instead of " << expected.sizes();
  }
  const double error = (got - expected).abs().max().item<double>();
  const double scale = std::max(1.0, expected.abs().max().item<double>());
  if (error <= tolerance * scale) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "they differ by " << error << " where values reach " << scale;
}

}  // namespace lvrpo
