#include "common/files/reused_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "common/files/filesystem.h"

namespace lvrpo {

absl::StatusOr<std::unique_ptr<ReusedFile>> ReusedFile::Open(const std::string& path) {
  const int descriptor = open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (descriptor < 0) return FileError("write", path, errno);
  return std::unique_ptr<ReusedFile>(new ReusedFile(path, descriptor));
}

ReusedFile::~ReusedFile() { close(descriptor_); }

absl::Status ReusedFile::Append(absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t size = write(descriptor_, bytes.data(), bytes.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return FileError("write", path_, errno);
    written_ += size;
    bytes.remove_prefix(static_cast<size_t>(size));
  }
  return absl::OkStatus();
}

absl::Status ReusedFile::Finish() {
  return ftruncate(descriptor_, written_) == 0 ? absl::OkStatus() : FileError("write", path_, errno);
}

}  // namespace lvrpo
