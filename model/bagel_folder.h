#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "model/bagel_config.h"
#include "model/weights/stored_weights.h"

namespace lvrpo {

// A BAGEL folder in the published layout, opened: its settings, and its weights checked against them by their
// headers but not read. This is what Bagel::Load, inspection and export begin with.
struct BagelFolder {
  BagelConfig config;
  StoredWeights weights;  // exactly Bagel::ExpectedTensors(config)
};

// Weights are ema.safetensors, or shards with an index of the stem ema or model. max_latent_side is taken
// from the stored position table. Layers of the vision tower beyond those used are ignored; every other
// tensor that is missing, unexpected, mis-shaped or of a wrong dtype is named. NotFound names the missing
// file; InvalidArgument and DataLoss as LoadBagelConfig and StoredWeights give them.
absl::StatusOr<BagelFolder> OpenBagelFolder(const std::string& folder);

// The folder's ae.safetensors, checked against the settings.
absl::StatusOr<StoredWeights> OpenAutoencoder(const std::string& folder, const AutoencoderConfig& config);

}  // namespace lvrpo
