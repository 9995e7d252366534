#include "learner/checkpoint.h"

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/files/file.h"
#include "common/files/filesystem.h"
#include "common/hash.h"
#include "common/json/json_text.h"
#include "common/version.h"
#include "model/weights/lora_file.h"
#include "nlohmann/json.hpp"

namespace lvrpo {
namespace {

constexpr char kWeights[] = "policy.safetensors";
constexpr char kOptimizer[] = "optimizer.safetensors";

}  // namespace

std::string CheckpointPath(int64_t step) { return absl::StrFormat("checkpoints/step_%06d", step); }

absl::StatusOr<std::string> SaveCheckpoint(const std::string& folder, const Checkpoint& checkpoint) {
  const std::string unfinished = folder + ".unfinished";
  if (absl::Status status = RemoveTree(unfinished); !status.ok()) return status;
  if (absl::Status status = MakeFolder(unfinished); !status.ok()) return status;
  nlohmann::json manifest = {{"format", kRunFormat},
                             {"program", kVersion},
                             {"step", checkpoint.step},
                             {"weights_digest", checkpoint.weights_digest},
                             {"config_digest", checkpoint.config_digest}};
  std::vector<std::string> files;
  for (const auto& [name, tensors] : {std::pair<const char*, const TensorMap&>{kWeights, checkpoint.weights},
                                      {kOptimizer, checkpoint.optimizer}}) {
    if (absl::Status status = SaveTensors(JoinPath(unfinished, name), tensors); !status.ok()) return status;
    files.push_back(name);
  }
  if (checkpoint.lora.has_value()) {
    if (absl::Status status = SaveAdapter(JoinPath(unfinished, "adapter"), checkpoint.weights,
                                          *checkpoint.lora, checkpoint.base_model);
        !status.ok())
      return status;
    files.insert(files.end(), {"adapter/adapter_config.json", "adapter/adapter_model.safetensors"});
  }
  for (const std::string& name : files) {
    const absl::StatusOr<std::string> bytes = ReadFile(JoinPath(unfinished, name));
    if (!bytes.ok()) return bytes.status();
    manifest["files"][name] = Sha256Hex(*bytes);
  }
  const std::string text = JsonText(manifest, 2) + "\n";
  if (absl::Status status = WriteFileAtomic(JoinPath(unfinished, "manifest.json"), text); !status.ok())
    return status;
  if (absl::Status status = RemoveTree(folder); !status.ok()) return status;
  if (absl::Status status = Rename(unfinished, folder); !status.ok()) return status;
  if (absl::Status status = SyncFolder(ParentFolder(folder)); !status.ok()) return status;
  return Sha256Hex(text);
}

absl::StatusOr<Checkpoint> LoadCheckpoint(const std::string& folder, const std::string& digest) {
  const absl::StatusOr<std::string> text = ReadFile(JoinPath(folder, "manifest.json"));
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
    const absl::StatusOr<std::string> bytes = ReadFile(path);
    if (!bytes.ok()) return bytes.status();
    if (Sha256Hex(*bytes) != manifest["files"].value(name, "")) {
      return absl::DataLossError(absl::StrCat(path, " is damaged: its checksum is not the manifest's"));
    }
    absl::StatusOr<TensorMap> loaded = LoadTensors(path, std::nullopt);
    if (!loaded.ok()) return loaded.status();
    *tensors = *std::move(loaded);
  }
  return checkpoint;
}

void PruneCheckpoints(const std::string& folder, const std::set<int64_t>& recorded, int kept) {
  const absl::StatusOr<std::vector<std::string>> names = ListFolder(folder);
  if (!names.ok() || recorded.empty()) return;
  const int64_t newest = *recorded.rbegin();
  std::set<int64_t> stay;
  for (auto step = recorded.rbegin(); step != recorded.rend(); ++step) {
    if (stay.empty() || static_cast<int>(stay.size()) < kept) stay.insert(*step);
  }
  for (const std::string& name : *names) {
    if (!absl::StartsWith(name, "step_")) continue;
    int64_t step = 0;
    const bool whole = absl::SimpleAtoi(name.substr(5), &step);
    if (!whole || (step < newest && !stay.contains(step))) (void)RemoveTree(JoinPath(folder, name));
  }
}

}  // namespace lvrpo
