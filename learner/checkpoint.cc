#include "learner/checkpoint.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "common/files/file.h"
#include "common/files/file_reader.h"
#include "common/files/filesystem.h"
#include "common/hash.h"
#include "common/json/json_text.h"
#include "common/pause_point.h"
#include "common/version.h"
#include "learner/checkpoints/checkpoint_folder.h"
#include "model/weights/lora_file.h"
#include "nlohmann/json.hpp"

namespace lvrpo {
namespace {

constexpr char kWeights[] = "policy.safetensors";
constexpr char kOptimizer[] = "optimizer.safetensors";

// Writes all files; returns the digest of the manifest.
absl::StatusOr<std::string> WriteFiles(const std::string& folder, const Checkpoint& checkpoint) {
  nlohmann::json manifest = {{"format", kRunFormat},
                             {"program", kVersion},
                             {"step", checkpoint.step},
                             {"weights_digest", checkpoint.weights_digest},
                             {"config_digest", checkpoint.config_digest}};
  std::vector<std::string> files;
  for (const auto& [name, tensors] : {std::pair<const char*, const TensorMap&>{kWeights, checkpoint.weights},
                                      {kOptimizer, checkpoint.optimizer}}) {
    if (absl::Status status = SaveTensors(JoinPath(folder, name), tensors); !status.ok()) return status;
    files.push_back(name);
  }
  if (checkpoint.lora.has_value()) {
    if (absl::Status status = SaveAdapter(JoinPath(folder, "adapter"), checkpoint.weights, *checkpoint.lora,
                                          checkpoint.base_model);
        !status.ok())
      return status;
    files.insert(files.end(), {"adapter/adapter_config.json", "adapter/adapter_model.safetensors"});
  }
  PausePoint("checkpoint");
  for (const std::string& name : files) {
    const absl::StatusOr<std::string> digest = FileSha256Hex(JoinPath(folder, name));
    if (!digest.ok()) return digest.status();
    manifest["files"][name] = *digest;
  }
  const std::string text = JsonText(manifest, 2) + "\n";
  if (absl::Status status = WriteFileAtomic(JoinPath(folder, kCheckpointManifest), text); !status.ok())
    return status;
  return Sha256Hex(text);
}

}  // namespace

absl::StatusOr<std::string> SaveCheckpoint(const std::string& folder, const Checkpoint& checkpoint) {
  absl::StatusOr<std::string> digest;
  const absl::Status status = ReplaceCheckpoint(folder, [&](const std::string& unfinished) {
    digest = WriteFiles(unfinished, checkpoint);
    return digest.status();
  });
  if (!status.ok()) return status;
  return digest;
}

absl::StatusOr<Checkpoint> LoadCheckpoint(const std::string& folder, const std::string& digest) {
  const absl::StatusOr<std::string> text = ReadFile(JoinPath(folder, kCheckpointManifest));
  if (!text.ok()) return text.status();
  if (Sha256Hex(*text) != digest) {
    return absl::DataLossError(absl::StrCat(folder, "/manifest.json is not what the run's records say"));
  }
  const nlohmann::json manifest = nlohmann::json::parse(*text, nullptr, false);
  if (!manifest.is_object() || !manifest.contains("files"))
    return absl::DataLossError(folder + "/manifest.json is damaged");
  if (manifest.value("format", 0) != kRunFormat) {
    return absl::FailedPreconditionError(absl::StrCat(folder, " has format ", manifest.value("format", 0),
                                                      "; this program reads format ", kRunFormat));
  }
  Checkpoint checkpoint;
  checkpoint.step = manifest.value("step", int64_t{-1});
  checkpoint.weights_digest = manifest.value("weights_digest", "");
  checkpoint.config_digest = manifest.value("config_digest", "");
  for (auto [name, tensors] : {std::pair<const char*, TensorMap*>{kWeights, &checkpoint.weights},
                               {kOptimizer, &checkpoint.optimizer}}) {
    const std::string path = JoinPath(folder, name);
    const absl::StatusOr<std::string> sha256 = FileSha256Hex(path);
    if (!sha256.ok()) return sha256.status();
    if (*sha256 != manifest["files"].value(name, "")) {
      return absl::DataLossError(absl::StrCat(path, " is damaged: its checksum is not the manifest's"));
    }
    absl::StatusOr<TensorMap> loaded = LoadTensors(path, std::nullopt);
    if (!loaded.ok()) return loaded.status();
    *tensors = *std::move(loaded);
  }
  return checkpoint;
}

}  // namespace lvrpo
