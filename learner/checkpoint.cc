#include "learner/checkpoint.h"

#include <map>
#include <utility>
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
#include "learner/copies/state_slices.h"
#include "model/weights/lora_file.h"
#include "nlohmann/json.hpp"

namespace lvrpo {
namespace {

constexpr char kWeights[] = "policy.safetensors";
constexpr char kOptimizer[] = "optimizer.safetensors";
constexpr char kParts[] = "optimizer_parts";  // in the manifest; 1 when it is not there

// Parts of `checkpoint` wait in the folder that its ranks know.
std::string PartsOf(const std::string& folder, const Checkpoint& checkpoint) {
  return PartsFolder(folder, absl::StrCat(checkpoint.made_by, " ", checkpoint.weights_digest));
}

// Writes all files, with the parts that other ranks write to `from`; returns the digest of the manifest.
absl::StatusOr<std::string> WriteFiles(const std::string& folder, const Checkpoint& checkpoint,
                                       const std::string& from, const PartsPatience& patience) {
  nlohmann::json manifest = {{"format", kRunFormat},
                             {"program", kVersion},
                             {"step", checkpoint.step},
                             {"weights_digest", checkpoint.weights_digest},
                             {"config_digest", checkpoint.config_digest}};
  std::vector<std::string> files;
  const int parts = checkpoint.parts;
  for (const auto& [name, tensors] :
       {std::pair<std::string, const TensorMap&>{kWeights, checkpoint.weights},
        {parts > 1 ? OptimizerPart(0, parts) : kOptimizer, checkpoint.optimizer}}) {
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
  if (parts > 1) {
    manifest[kParts] = parts;
    const absl::StatusOr<std::map<std::string, std::string>> taken = TakeParts(from, parts, folder, patience);
    if (!taken.ok()) return taken.status();
    for (const auto& [name, digest] : *taken) manifest["files"][name] = digest;
  }
  const std::string text = JsonText(manifest, 2) + "\n";
  if (absl::Status status = WriteFileAtomic(JoinPath(folder, kCheckpointManifest), text); !status.ok())
    return status;
  return Sha256Hex(text);
}

}  // namespace

absl::StatusOr<std::string> SaveCheckpoint(const std::string& folder, const Checkpoint& checkpoint,
                                           const PartsPatience& patience) {
  absl::StatusOr<std::string> digest;
  const absl::Status status = ReplaceCheckpoint(folder, [&](const std::string& unfinished) {
    digest = WriteFiles(unfinished, checkpoint, PartsOf(folder, checkpoint), patience);
    return digest.status();
  });
  if (!status.ok()) return status;
  return digest;
}

absl::Status SavePart(const std::string& folder, const Checkpoint& checkpoint) {
  const std::string from = PartsOf(folder, checkpoint);
  const std::string name = OptimizerPart(checkpoint.part, checkpoint.parts);
  if (absl::Status status = MakeFolder(from); !status.ok()) return status;
  if (absl::Status status = WithdrawPart(from, name); !status.ok()) return status;
  if (absl::Status status = SaveTensors(JoinPath(from, name), checkpoint.optimizer); !status.ok())
    return status;
  return AnnouncePart(from, name);
}

namespace {

// A file of the folder, which must be what the manifest says.
absl::StatusOr<TensorMap> LoadFile(const std::string& folder, const std::string& name,
                                   const nlohmann::json& files) {
  const std::string path = JoinPath(folder, name);
  const absl::StatusOr<std::string> sha256 = FileSha256Hex(path);
  if (absl::IsNotFound(sha256.status())) return absl::DataLossError(absl::StrCat(path, " is missing"));
  if (!sha256.ok()) return sha256.status();
  if (!files.is_object() || *sha256 != files.value(name, ""))
    return absl::DataLossError(absl::StrCat(path, " is damaged: its checksum is not the manifest's"));
  return LoadTensors(path, std::nullopt);
}

absl::StatusOr<TensorMap> LoadParts(const std::string& folder, int parts, const nlohmann::json& files,
                                    const ShapeMap& shapes) {
  std::vector<TensorMap> pieces;
  for (int part = 0; part < parts; ++part) {
    absl::StatusOr<TensorMap> loaded = LoadFile(folder, OptimizerPart(part, parts), files);
    if (!loaded.ok()) return loaded.status();
    pieces.push_back(*std::move(loaded));
  }
  absl::StatusOr<TensorMap> joined = JoinSlices(std::move(pieces), shapes);
  if (!joined.ok()) return absl::DataLossError(absl::StrCat(folder, ": ", joined.status().message()));
  return joined;
}

}  // namespace

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
  const nlohmann::json& files = manifest["files"];
  absl::StatusOr<TensorMap> weights = LoadFile(folder, kWeights, files);
  if (!weights.ok()) return weights.status();
  checkpoint.weights = *std::move(weights);
  const int parts = manifest.value(kParts, 1);
  absl::StatusOr<TensorMap> optimizer = parts > 1
                                            ? LoadParts(folder, parts, files, ShapesOf(checkpoint.weights))
                                            : LoadFile(folder, kOptimizer, files);
  if (!optimizer.ok()) return optimizer.status();
  checkpoint.optimizer = *std::move(optimizer);
  return checkpoint;
}

}  // namespace lvrpo
