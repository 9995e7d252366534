#pragma once

#include <string>

#include "absl/status/status.h"
#include "model/autoencoder.h"
#include "proto/lvrpo/v1/pretraining.pb.h"

namespace lvrpo {

// Trains the embedded default's autoencoder on random scenes: L1 + L2 on pixels, object pixels weighted up,
// KL on the latent. Writes ae.safetensors (BF16) and autoencoder.json with scale and shift that give latents
// unit variance. `resume`: continue from the checkpoint if there is one.
absl::Status TrainAutoencoder(const v1::PretrainAutoencoder& task, bool resume);

// The embedded default's architecture, before scale and shift are measured.
AutoencoderConfig ShapesAutoencoderConfig();

// Reads what TrainAutoencoder wrote.
absl::StatusOr<Autoencoder> LoadShapesAutoencoder(const std::string& folder);

}  // namespace lvrpo
