#include "common/identity.h"

#include <sys/stat.h>

#include "absl/strings/str_cat.h"
#include "common/filesystem.h"

namespace lvrpo {

std::string IdentityOf(const std::string& path) {
  struct stat about = {};
  if (stat(path.c_str(), &about) != 0) return "";
  return absl::StrCat(about.st_dev, ":", about.st_ino);
}

bool IsGone(const std::string& path, const std::string& identity) {
  const std::string now = IdentityOf(path);
  if (!now.empty()) return !identity.empty() && now != identity;
  const absl::StatusOr<PathKind> kind = KindOf(path);
  return kind.ok() && *kind == PathKind::kMissing;
}

}  // namespace lvrpo
