#include "common/files/identity.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "absl/strings/str_cat.h"
#include "common/files/filesystem.h"

namespace lvrpo {

std::string IdentityOf(const std::string& path) {
  struct statx about = {};
  if (statx(AT_FDCWD, path.c_str(), 0, STATX_INO | STATX_BTIME, &about) != 0) return "";
  // Inode numbers are soon reused, so the creation time is included where it is known.
  return absl::StrCat(about.stx_dev_major, ":", about.stx_dev_minor, ":", about.stx_ino, ":",
                      about.stx_btime.tv_sec, ".", about.stx_btime.tv_nsec);
}

bool IsGone(const std::string& path, const std::string& identity) {
  const std::string now = IdentityOf(path);
  if (!now.empty()) return !identity.empty() && now != identity;
  const absl::StatusOr<PathKind> kind = KindOf(path);
  return kind.ok() && *kind == PathKind::kMissing;
}

}  // namespace lvrpo
