#pragma once

#include <string>

#include "absl/status/status.h"
#include "model/autoencoder.h"
#include "pretraining/trainer.h"

namespace lvrpo {

struct AutoencoderTask {
  TrainerOptions trainer;
  uint64_t seed = 1;
  int64_t batch = 24;
  double kl_weight = 1e-2;     // of the latent's KL to N(0, 1), nats per element
  double object_weight = 4.0;  // pixels of objects against background pixels
  std::string out;             // folder: ae.safetensors and autoencoder.json
};

// Trains the embedded default's autoencoder on random scenes: L1 + L2 on pixels, object pixels weighted up,
// KL on the latent. Writes ae.safetensors (BF16) and autoencoder.json with scale and shift that give latents
// unit variance.
absl::Status TrainAutoencoder(const AutoencoderTask& task);

// The embedded default's architecture, before scale and shift are measured.
AutoencoderConfig ShapesAutoencoderConfig();

// Reads what TrainAutoencoder wrote.
absl::StatusOr<Autoencoder> LoadShapesAutoencoder(const std::string& folder);

}  // namespace lvrpo
