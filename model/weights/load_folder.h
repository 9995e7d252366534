#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "common/files/file.h"
#include "model/config/config_reader.h"
#include "model/weights/stored_weights.h"

namespace lvrpo {

// Reads config.json and model.safetensors, or its shards, of a published folder. `adapt(config, weights)`
// may drop or rename tensors of some savers, and set in the configuration what only the weights tell,
// before they are checked and read. `Config` has FromJson, `Model` ExpectedTensors and Create, whose errors
// are returned; read errors name the file.
template <typename Model, typename Config, typename Adapt>
absl::StatusOr<Model> LoadFolder(const std::string& folder, const WeightReadOptions& options,
                                 const Adapt& adapt) {
  const std::string path = JoinPath(folder, "config.json");
  const absl::StatusOr<nlohmann::json> json = ReadJsonObject(path);
  if (!json.ok()) return json.status();
  absl::StatusOr<Config> config = Config::FromJson(*json, path);
  if (!config.ok()) return config.status();
  absl::StatusOr<StoredWeights> weights = StoredWeights::Open(folder, {"model"});
  if (!weights.ok()) return weights.status();
  weights->AlignNames(Model::ExpectedTensors(*config));
  adapt(*config, *weights);
  if (absl::Status status = weights->Check(Model::ExpectedTensors(*config)); !status.ok()) return status;
  absl::StatusOr<TensorMap> tensors = weights->Read(options);
  if (!tensors.ok()) return tensors.status();
  return Model::Create(*std::move(config), *std::move(tensors), weights->source());
}

}  // namespace lvrpo
