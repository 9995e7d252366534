#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "model/autoencoder.h"
#include "model/weights.h"

namespace lvrpo {

// Settings of a BAGEL model (reference: ByteDance-Seed/Bagel). Read from a published folder: config.json, or
// llm_config.json and vit_config.json beside it when config.json does not embed them.
struct BagelConfig {
  // Language model (Qwen2 with QK-norm, every layer doubled into an understanding and a generation half).
  int64_t hidden = 3584, mlp = 18944, layers = 28, heads = 28, kv_heads = 4, vocabulary = 152064;
  double rms_eps = 1e-6, rope_theta = 1e6;
  // Vision tower (SigLIP, patches as a linear layer). `vit_layers` is what is used and stored: one less than
  // vit_config.json says.
  int64_t vit_hidden = 1152, vit_mlp = 4304, vit_layers = 26, vit_heads = 16, vit_patch = 14;
  int64_t vit_max_side = 70;  // patches per side of its position tables
  double vit_eps = 1e-6;
  // Latents.
  int64_t latent_patch = 2, max_latent_side = 64;
  AutoencoderConfig autoencoder;
  // Special tokens.
  int32_t bos = 151644, eos = 151645, start_of_image = 151652, end_of_image = 151653;

  int64_t head_dim() const { return hidden / heads; }
  int64_t token_dim() const { return latent_patch * latent_patch * autoencoder.z_channels; }
};

absl::StatusOr<BagelConfig> LoadBagelConfig(const std::string& folder);
// Writes config.json, llm_config.json and vit_config.json.
absl::Status SaveBagelConfig(const BagelConfig& config, const std::string& folder);

}  // namespace lvrpo
