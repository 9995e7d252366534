#include "learner/spool.h"

#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "common/file.h"
#include "common/filesystem.h"
#include "common/hash.h"

namespace lvrpo {

absl::Status Spool::Open() { return MakeFolder(folder_); }

std::string Spool::PathOf(int64_t ordinal, int32_t attempt) const {
  return JoinPath(folder_, absl::StrCat(ordinal, "-", attempt, ".group"));
}

absl::Status Spool::Put(int64_t ordinal, int32_t attempt, const std::string& digest,
                        const std::string& bytes) {
  if (Sha256Hex(bytes) != digest) {
    return absl::DataLossError(
        absl::StrCat("the trajectories of ordinal ", ordinal, " do not match their digest"));
  }
  const std::string path = PathOf(ordinal, attempt);
  if (const absl::StatusOr<std::string> stored = ReadFile(path); stored.ok() && *stored == bytes) {
    return absl::OkStatus();
  }
  return WriteFileAtomic(path, bytes);
}

absl::StatusOr<v1::TrajectoryGroup> Spool::Get(int64_t ordinal, int32_t attempt,
                                               const std::string& digest) const {
  absl::StatusOr<std::string> bytes = ReadFile(PathOf(ordinal, attempt));
  if (!bytes.ok()) return bytes.status();
  v1::TrajectoryGroup group;
  if (Sha256Hex(*bytes) != digest || !group.ParseFromString(*bytes)) {
    return absl::DataLossError(absl::StrCat(PathOf(ordinal, attempt), " is damaged"));
  }
  return group;
}

void Spool::RemoveBelow(int64_t ordinal) {
  const absl::StatusOr<std::vector<std::string>> names = ListFolder(folder_);
  if (!names.ok()) return;
  for (const std::string& name : *names) {
    if (name[0] >= '0' && name[0] <= '9' && std::atoll(name.c_str()) < ordinal) {
      (void)RemoveFile(JoinPath(folder_, name));
    }
  }
}

}  // namespace lvrpo
