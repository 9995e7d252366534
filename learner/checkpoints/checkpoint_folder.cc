#include "learner/checkpoints/checkpoint_folder.h"

#include <algorithm>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "common/files/filesystem.h"
#include "common/files/folder.h"
#include "common/names.h"
#include "verifiers/rules/bounded_json.h"

namespace lvrpo {
namespace {

constexpr size_t kMostName = 128;
constexpr JsonBounds kManifestBounds = {
    .bytes = size_t{1} << 20, .values = 100000, .depth = 8, .unique_keys = true};

bool IsInside(absl::string_view path) {
  const std::vector<absl::string_view> parts = absl::StrSplit(path, '/');
  return parts.size() <= 4 && std::all_of(parts.begin(), parts.end(),
                                          [](absl::string_view part) { return IsName(part, kMostName); });
}

}  // namespace

std::string CheckpointPath(int64_t step) { return absl::StrFormat("checkpoints/step_%06d", step); }

absl::StatusOr<std::map<std::string, std::string>> ReadManifestFiles(absl::string_view manifest) {
  const absl::StatusOr<nlohmann::json> parsed = ParseBoundedJson(manifest, kManifestBounds);
  if (!parsed.ok() || !parsed->is_object() || !parsed->contains("files") || !(*parsed)["files"].is_object())
    return absl::DataLossError("a checkpoint's manifest is damaged");
  std::map<std::string, std::string> files;
  for (const auto& [name, digest] : (*parsed)["files"].items()) {
    if (!IsInside(name) || name == kCheckpointManifest || !digest.is_string())
      return absl::DataLossError("a checkpoint's manifest names no proper files");
    files[name] = digest.get<std::string>();
  }
  return files;
}

absl::Status ReplaceCheckpoint(const std::string& folder,
                               const std::function<absl::Status(const std::string& unfinished)>& fill) {
  return WriteFolderAtomic(folder, [&](const std::string& unfinished) {
    const absl::Status filled = fill(unfinished);
    return filled.ok() ? RemoveTree(folder) : filled;
  });
}

void PruneCheckpoints(const std::string& folder, int64_t oldest, const std::set<int64_t>& kept) {
  const absl::StatusOr<std::vector<std::string>> names = ListFolder(folder);
  if (!names.ok() || kept.empty()) return;
  for (const std::string& name : *names) {
    if (!absl::StartsWith(name, "step_")) continue;
    int64_t step = 0;
    const bool whole = absl::SimpleAtoi(name.substr(5), &step);
    const bool superseded = step >= oldest && step < *kept.rbegin() && !kept.contains(step);
    if (!whole || superseded) (void)RemoveTree(JoinPath(folder, name));
  }
}

}  // namespace lvrpo
