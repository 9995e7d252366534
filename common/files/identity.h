#pragma once

#include <string>

namespace lvrpo {

// What tells a file or folder from another one that is made at its path later: device, inode and time
// of birth. Empty: cannot be found out.
std::string IdentityOf(const std::string& path);

// Whether what had this identity was removed, or another one took its place. False where that cannot be found
// out.
bool IsGone(const std::string& path, const std::string& identity);

}  // namespace lvrpo
