#pragma once

#include <string>

namespace lvrpo {

// Identifies a file or folder across replacements at the same path: device, inode and creation time. Empty:
// unknown.
std::string IdentityOf(const std::string& path);

// Whether the file with this identity was removed or replaced. False when unknown.
bool IsGone(const std::string& path, const std::string& identity);

}  // namespace lvrpo
