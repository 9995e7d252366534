#include "model/bagel_folder.h"

#include <cmath>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/files/file.h"
#include "model/bagel.h"
#include "model/weights/moved.h"

namespace lvrpo {
namespace {

constexpr absl::string_view kVitLayers = "vit_model.vision_model.encoder.layers.";
constexpr char kLatentTable[] = "latent_pos_embed.pos_embed";
constexpr char kHead[] = "language_model.lm_head.weight";

// Tensors that some savers keep and no forward pass reads.
bool IsUnused(absl::string_view name, int64_t vit_layers) {
  if (absl::EndsWith(name, ".rotary_emb.inv_freq") || absl::EndsWith(name, ".embeddings.position_ids"))
    return true;
  if (!absl::StartsWith(name, kVitLayers)) return false;
  const absl::string_view rest = name.substr(kVitLayers.size());
  int64_t layer = 0;
  return absl::SimpleAtoi(rest.substr(0, rest.find('.')), &layer) && layer >= vit_layers;
}

// A part of the model that trainers do not save when they do not train it.
struct Side {
  const char* name;
  std::vector<std::string> patterns;  // MatchesPatterns of its tensors' names
};

const std::vector<Side>& Sides() {
  static const auto* const sides = new std::vector<Side>{
      {"vision tower, which understands images (vit_model, connector, vit_pos_embed)",
       {"vit_model.", "connector.", "vit_pos_embed."}},
      {"understanding half of the language model", {"language_model.model.layers.", "!_moe_gen"}},
      {"generation half of the language model", {"_moe_gen"}},
      {"way into and out of latents (vae2llm, llm2vae, time_embedder)",
       {"vae2llm.", "llm2vae.", "time_embedder."}}};
  return *sides;
}

// Which parts are missing entirely, and where to take them from; "" when none is.
std::string MissingSides(const StoredWeights& weights, const ShapeMap& expected) {
  std::vector<std::string> missing;
  for (const Side& side : Sides()) {
    bool wanted = false, stored = false;
    for (const auto& [name, shape] : expected) {
      if (!MatchesPatterns(name, side.patterns)) continue;
      wanted = true;
      stored |= weights.index().tensors.contains(name);
    }
    if (wanted && !stored) missing.push_back(absl::StrCat("the ", side.name));
  }
  if (missing.empty() || missing.size() == Sides().size()) return "";
  return absl::StrCat(weights.source(), " lacks ", absl::StrJoin(missing, " and "),
                      ", as it may be after a fine-tuning that did not train it. Take it from the model that "
                      "was fine-tuned: lvrpo export --base THAT_FOLDER --weights ",
                      weights.source(), " --out NEW_FOLDER. In detail: ");
}

}  // namespace

absl::StatusOr<BagelFolder> OpenBagelFolder(const std::string& folder) {
  absl::StatusOr<BagelConfig> config = LoadBagelConfig(folder);
  if (!config.ok()) return config.status();
  absl::StatusOr<StoredWeights> weights = StoredWeights::Open(folder, {"ema", "model"});
  if (!weights.ok()) return weights.status();
  weights->AlignNames(Bagel::ExpectedTensors(*config));
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
  const ShapeMap expected = Bagel::ExpectedTensors(*config);
  if (const absl::Status status = weights->Check(expected); !status.ok())
    return absl::Status(status.code(), MissingSides(*weights, expected) + std::string(status.message()));
  return BagelFolder{*std::move(config), *std::move(weights)};
}

absl::StatusOr<StoredWeights> OpenAutoencoder(const std::string& folder, const AutoencoderConfig& config) {
  absl::StatusOr<StoredWeights> weights = StoredWeights::OpenFile(JoinPath(folder, "ae.safetensors"));
  if (!weights.ok()) return weights.status();
  weights->AlignNames(Autoencoder::ExpectedTensors(config));
  if (absl::Status status = weights->Check(Autoencoder::ExpectedTensors(config)); !status.ok()) return status;
  return weights;
}

absl::StatusOr<Autoencoder> LoadAutoencoder(const std::string& folder, const AutoencoderConfig& config,
                                            torch::Device device) {
  const absl::StatusOr<StoredWeights> stored = OpenAutoencoder(folder, config);
  if (!stored.ok()) return stored.status();
  absl::StatusOr<TensorMap> tensors = stored->Read();
  if (!tensors.ok()) return tensors.status();
  if (absl::Status status = MoveTo(device, *tensors, stored->source()); !status.ok()) return status;
  return Autoencoder::Create(config, *std::move(tensors), stored->source());
}

}  // namespace lvrpo
