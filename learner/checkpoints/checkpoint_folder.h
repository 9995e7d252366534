#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

// Folders of checkpoints as files, whatever is in them. Thread-safe.
namespace lvrpo {

inline constexpr char kCheckpointManifest[] = "manifest.json";

// "checkpoints/step_000025", relative to the run folder.
std::string CheckpointPath(int64_t step);

// The files that a manifest names, by their paths in the folder -> SHA-256. DataLoss: it is malformed, or
// names a path that leads out of the folder. Pure.
absl::StatusOr<std::map<std::string, std::string>> ReadManifestFiles(absl::string_view manifest);

// Writes a checkpoint folder with WriteFolderAtomic, in place of what is there.
absl::Status ReplaceCheckpoint(const std::string& folder,
                               const std::function<absl::Status(const std::string& unfinished)>& fill);

// Cleans up a folder of checkpoints. `kept`: steps of recorded ones that stay, not empty. Removes unfinished
// ones, and of those from step `oldest` to the newest kept all others. Older ones stay, because their records
// are not known; later ones until their step is trained again: they may be all that is left of steps
// abandoned by mistake.
void PruneCheckpoints(const std::string& folder, int64_t oldest, const std::set<int64_t>& kept);

}  // namespace lvrpo
