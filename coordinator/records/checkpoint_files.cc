#include "coordinator/records/checkpoint_files.h"

#include "absl/strings/str_cat.h"
#include "common/files/file.h"
#include "common/files/file_reader.h"
#include "common/hash.h"
#include "nlohmann/json.hpp"

namespace lvrpo {
namespace {

std::string Text(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace

CheckpointFiles LookAtCheckpoint(const std::string& run_dir, const v1::CheckpointRecord& record,
                                 const std::string& config_digest) {
  const std::string folder = JoinPath(run_dir, record.path());
  const absl::StatusOr<std::string> manifest = ReadFile(JoinPath(folder, "manifest.json"));
  if (!manifest.ok()) return {.missing = absl::IsNotFound(manifest.status()), .faults = {"has no manifest"}};
  if (Sha256Hex(*manifest) != record.digest())
    return {.faults = {"has another manifest than the one recorded"}};
  const nlohmann::json parsed = nlohmann::json::parse(*manifest, nullptr, false);
  if (!parsed.is_object() || !parsed.contains("files") || !parsed["files"].is_object())
    return {.faults = {"has a manifest that names no files"}};
  CheckpointFiles files;
  const auto step = parsed.find("step");
  if (step == parsed.end() || !step->is_number_integer() || step->get<int64_t>() != record.step())
    files.faults.push_back("has the manifest of another step");
  if (Text(parsed, "weights_digest") != record.version().digest())
    files.faults.push_back("holds other weights than its step made");
  if (Text(parsed, "config_digest") != config_digest) files.faults.push_back("is of another configuration");
  for (const auto& [name, digest] : parsed["files"].items()) {
    if (!digest.is_string() ||
        digest.get<std::string>() != FileSha256Hex(JoinPath(folder, name)).value_or(""))
      files.faults.push_back(absl::StrCat("has a damaged ", name));
  }
  return files;
}

}  // namespace lvrpo
