#include "common/files/folder_token.h"

#include <unistd.h>

#include <cerrno>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/files/file.h"
#include "common/files/filesystem.h"
#include "common/unguessable.h"

namespace lvrpo {
namespace {

constexpr size_t kDigits = 16;

}  // namespace

absl::StatusOr<std::string> FolderToken(const std::string& folder) {
  const std::string path = JoinPath(folder, "folder.id");
  if (!Exists(path)) {
    const std::string token = UnguessableToken(), own = absl::StrCat(path, ".", token);
    if (absl::Status status = WriteFileAtomic(own, token); !status.ok()) return status;
    // Of several processes exactly one makes the file; it has all its bytes at once.
    const int error = link(own.c_str(), path.c_str()) == 0 ? 0 : errno;
    (void)RemoveFile(own);
    if (error != 0 && error != EEXIST) return FileError("write", path, error);
  }
  absl::StatusOr<std::string> token = ReadFile(path, kDigits);
  if (token.ok() && token->size() != kDigits)
    return absl::DataLossError(absl::StrCat(path, " is damaged: remove it"));
  return token;
}

}  // namespace lvrpo
