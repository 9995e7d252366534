#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace lvrpo {

// 16 hexadecimal digits that a folder keeps in the file "folder.id", which the first that asks
// makes: processes that get the same token see the same folder, wherever and however it is mounted. Errors as
// in common/files/filesystem.h.
absl::StatusOr<std::string> FolderToken(const std::string& folder);

}  // namespace lvrpo
