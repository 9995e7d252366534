#include "cli/local/disk.h"

#include <sys/statvfs.h>

#include "absl/strings/str_cat.h"

namespace lvrpo {
namespace {

constexpr int64_t kFull = 256 << 10;  // less than a record and its journal need

}  // namespace

std::string DiskProblem(const DiskFacts& facts) {
  if (facts.read_only) return "read-only";
  if (facts.free_bytes < kFull) return "full";
  return facts.files > 0 && facts.free_files == 0 ? "out of file entries" : "";
}

std::string DiskProblemOf(const std::string& path) {
  struct statvfs disk = {};
  if (statvfs(path.c_str(), &disk) != 0) return "";
  const std::string problem = DiskProblem({.free_bytes = static_cast<int64_t>(disk.f_bavail * disk.f_frsize),
                                           .files = static_cast<int64_t>(disk.f_files),
                                           .free_files = static_cast<int64_t>(disk.f_favail),
                                           .read_only = (disk.f_flag & ST_RDONLY) != 0});
  return problem.empty() ? "" : absl::StrCat("the disk of ", path, " is ", problem);
}

}  // namespace lvrpo
