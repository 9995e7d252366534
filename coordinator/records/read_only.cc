#include "coordinator/records/read_only.h"

#include <unistd.h>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/files/filesystem.h"

namespace lvrpo {

absl::StatusOr<std::string> ReadOnlyName(const std::string& path, const DatabaseFacts& facts) {
  if (!facts.may_write && facts.has_log && !facts.has_index) {
    return absl::PermissionDeniedError(absl::StrCat(
        path,
        "-wal holds the newest records, and nothing can be written next to it, which reading them "
        "takes: copy the run's folder to where you may write"));
  }
  std::string name = "file:";
  for (const char c : path) {
    if (absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '/' || c == '.' || c == '-' || c == '_') {
      name += c;
    } else {
      absl::StrAppend(&name, "%", absl::Hex(static_cast<unsigned char>(c), absl::kZeroPad2));
    }
  }
  return name + (facts.may_write || facts.has_log ? "" : "?immutable=1");
}

DatabaseFacts LookAtDatabase(const std::string& path) {
  const std::string parent = ParentFolder(path);
  return {.may_write = access(parent.empty() ? "." : parent.c_str(), W_OK) == 0,
          .has_log = FileSize(path + "-wal").value_or(0) > 0,
          .has_index = access((path + "-shm").c_str(), R_OK) == 0};
}

}  // namespace lvrpo
