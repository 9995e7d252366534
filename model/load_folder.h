#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "common/file.h"
#include "model/config_reader.h"
#include "model/stored_weights.h"

namespace lvrpo {

// Reads config.json and model.safetensors, or its shards, of a published folder. `unused(config, name)`:
// tensors that some savers keep and the model does not need. `Config` has FromJson, `Model` ExpectedTensors
// and Create; their errors come through, and those of reading name the file.
template <typename Model, typename Config, typename Unused>
absl::StatusOr<Model> LoadFolder(const std::string& folder, const WeightReadOptions& options,
                                 const Unused& unused) {
  const std::string path = JoinPath(folder, "config.json");
  const absl::StatusOr<nlohmann::json> json = ReadJsonObject(path);
  if (!json.ok()) return json.status();
  absl::StatusOr<Config> config = Config::FromJson(*json, path);
  if (!config.ok()) return config.status();
  absl::StatusOr<StoredWeights> weights = StoredWeights::Open(folder, {"model"});
  if (!weights.ok()) return weights.status();
  weights->Drop([&](const std::string& name) { return unused(*config, name); });
  if (absl::Status status = weights->Check(Model::ExpectedTensors(*config)); !status.ok()) return status;
  absl::StatusOr<TensorMap> tensors = weights->Read(options);
  if (!tensors.ok()) return tensors.status();
  return Model::Create(*std::move(config), *std::move(tensors), weights->source());
}

}  // namespace lvrpo
