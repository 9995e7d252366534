#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"

namespace lvrpo {

// As WriteFileAtomic, for a folder: `fill` writes to a temporary sibling, which is renamed to `path`, where
// nothing or an empty folder may be by then, when it returns OK. When anything fails the sibling is removed,
// and so is what an earlier process left of one. Errors of `fill`, or as in common/files/filesystem.h.
absl::Status WriteFolderAtomic(const std::string& path,
                               const std::function<absl::Status(const std::string& unfinished)>& fill);

}  // namespace lvrpo
