#include "model/bagel_folder.h"

#include <cmath>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/file.h"
#include "model/bagel.h"

namespace lvrpo {
namespace {

constexpr absl::string_view kVitLayers = "vit_model.vision_model.encoder.layers.";
constexpr char kLatentTable[] = "latent_pos_embed.pos_embed";
constexpr char kHead[] = "language_model.lm_head.weight";

// What some savers keep and no forward pass reads.
bool IsUnused(absl::string_view name, int64_t vit_layers) {
  if (absl::EndsWith(name, ".rotary_emb.inv_freq") || absl::EndsWith(name, ".embeddings.position_ids"))
    return true;
  if (!absl::StartsWith(name, kVitLayers)) return false;
  const absl::string_view rest = name.substr(kVitLayers.size());
  int64_t layer = 0;
  return absl::SimpleAtoi(rest.substr(0, rest.find('.')), &layer) && layer >= vit_layers;
}

}  // namespace

absl::StatusOr<BagelFolder> OpenBagelFolder(const std::string& folder) {
  absl::StatusOr<BagelConfig> config = LoadBagelConfig(folder);
  if (!config.ok()) return config.status();
  absl::StatusOr<StoredWeights> weights = StoredWeights::Open(folder, {"ema", "model"});
  if (!weights.ok()) return weights.status();
  if (const std::optional<int64_t> rows = weights->RowsOf(kLatentTable); rows.has_value()) {
    const int64_t side = std::llround(std::sqrt(static_cast<double>(*rows)));
    if (side < 1 || side > 4096 || side * side != *rows) {
      return absl::DataLossError(absl::StrCat(weights->source(), ": ", kLatentTable, " has ", *rows,
                                              " rows, want the square of a side from 1 to 4096"));
    }
    config->max_latent_side = side;
  }
  if (config->claims_tied_embeddings && !weights->index().tensors.contains(kHead)) {
    return absl::InvalidArgumentError(absl::StrCat(folder, ": llm_config: tie_word_embeddings is true and ",
                                                   weights->source(), " lacks ", kHead,
                                                   "; only models with a head of their own are supported"));
  }
  weights->Drop([&](const std::string& name) { return IsUnused(name, config->vit_layers); });
  if (absl::Status status = weights->Check(Bagel::ExpectedTensors(*config)); !status.ok()) return status;
  return BagelFolder{*std::move(config), *std::move(weights)};
}

absl::StatusOr<StoredWeights> OpenAutoencoder(const std::string& folder, const AutoencoderConfig& config) {
  absl::StatusOr<StoredWeights> weights = StoredWeights::OpenFile(JoinPath(folder, "ae.safetensors"));
  if (!weights.ok()) return weights.status();
  if (absl::Status status = weights->Check(Autoencoder::ExpectedTensors(config)); !status.ok()) return status;
  return weights;
}

}  // namespace lvrpo
