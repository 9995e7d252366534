#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "model/autoencoder.h"
#include "model/config/router_config.h"
#include "model/weights/weights.h"

namespace lvrpo {

// Settings of a BAGEL model (reference: ByteDance-Seed/Bagel), read from a published folder. The language and
// vision sections are llm_config.json and vit_config.json, overridden by objects inside config.json. Absent
// settings have the defaults of the reference application (its app.py). Like it, we ignore the files on:
// QK-norm on, embeddings not tied to the head, the vision tower's last layer unused.
struct BagelConfig {
  // Language model (Qwen2 with QK-norm, every layer with an understanding and a generation expert).
  int64_t hidden = 3584, mlp = 18944, layers = 28, heads = 28, kv_heads = 4, vocabulary = 152064;
  double rms_eps = 1e-6, rope_theta = 1e6;
  int64_t max_positions = 32768;  // longest context
  // Vision tower (SigLIP, patches as a linear layer). `vit_layers` is what is used and stored: one less than
  // vit_config.json says.
  int64_t vit_hidden = 1152, vit_mlp = 4304, vit_layers = 26, vit_heads = 16, vit_patch = 14;
  int64_t vit_max_side = 70;  // patches per side of its position table
  double vit_eps = 1e-6;
  // Latents.
  int64_t latent_patch = 2, max_latent_side = 64;
  AutoencoderConfig autoencoder;
  // Routing of the MLPs. Our extension of config.json: "router": {"type": "top_k", "experts": 8,
  // "experts_per_token": 2}; absent: hard, as published.
  RouterConfig router;
  // Special tokens.
  int32_t bos = 151644, eos = 151645, start_of_image = 151652, end_of_image = 151653;
  // llm_config's tie_word_embeddings; harmless as long as the head is stored.
  bool claims_tied_embeddings = false;

  int64_t head_dim() const { return hidden / heads; }
  int64_t token_dim() const { return latent_patch * latent_patch * autoencoder.z_channels; }
  // Pixels per side of one latent token, and of the largest image.
  int64_t latent_stride() const { return autoencoder.downsample() * latent_patch; }
  int64_t longest_image_side() const { return max_latent_side * latent_stride(); }
};

// InvalidArgument names every setting of a wrong type, out of range, or not supported (another activation,
// RoPE scaling, sliding windows, other layer kinds, interpolated positions, ...), and the model's type when
// the folder holds another one. Unknown settings are refused. config.json may be a stub or absent, as long as
// the two sections are there: the reference application does not read it.
absl::StatusOr<BagelConfig> LoadBagelConfig(const std::string& folder);
// InvalidArgument when sizes are out of range or do not fit together; `source` begins the message.
absl::Status ValidateBagelConfig(const BagelConfig& config, const std::string& source);
// A top_k router in config.json's form.
nlohmann::json RouterJson(const RouterConfig& router);
// Writes config.json, llm_config.json and vit_config.json.
absl::Status SaveBagelConfig(const BagelConfig& config, const std::string& folder);

}  // namespace lvrpo
