#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "model/autoencoder.h"
#include "model/bagel_config.h"
#include "model/weights/stored_weights.h"

namespace lvrpo {

// An opened BAGEL folder in the published layout: its settings, and its weights, checked against them by
// their headers but not read. Bagel::Load, inspection and export start from it.
struct BagelFolder {
  BagelConfig config;
  StoredWeights weights;  // exactly Bagel::ExpectedTensors(config)
};

// Weights are ema.safetensors, or shards with an index of the stem ema or model. max_latent_side is taken
// from the stored position table. Layers of the vision tower beyond those used are ignored; every other
// tensor that is missing, unexpected, mis-shaped or of a wrong dtype is named. NotFound names the missing
// file; InvalidArgument and DataLoss as from LoadBagelConfig and StoredWeights.
absl::StatusOr<BagelFolder> OpenBagelFolder(const std::string& folder);

// The folder's ae.safetensors, checked against the settings.
absl::StatusOr<StoredWeights> OpenAutoencoder(const std::string& folder, const AutoencoderConfig& config);
// The same, read to `device`. Errors of StoredWeights::Read too.
absl::StatusOr<Autoencoder> LoadAutoencoder(const std::string& folder, const AutoencoderConfig& config,
                                            torch::Device device = torch::kCPU);

}  // namespace lvrpo
