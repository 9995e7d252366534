#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace lvrpo {

// Whole file. NotFound names the path.
absl::StatusOr<std::string> ReadFile(const std::string& path);

// Writes a temporary file beside `path`, flushes it to disk, renames it over `path` and flushes the folder:
// afterwards the old or the new bytes are there, never a mixture.
absl::Status WriteFileAtomic(const std::string& path, absl::string_view bytes);

// Makes the folder and its parents.
absl::Status MakeFolder(const std::string& path);

// Flushes a folder's entries to disk.
absl::Status SyncFolder(const std::string& path);

std::string JoinPath(const std::string& folder, const std::string& name);

}  // namespace lvrpo
