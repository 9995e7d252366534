#include "common/files/file_reader.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "common/files/filesystem.h"
#include "common/hash.h"

namespace lvrpo {

absl::StatusOr<std::unique_ptr<FileReader>> FileReader::Open(const std::string& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return FileError("read", path, errno);
  return std::unique_ptr<FileReader>(new FileReader(path, descriptor));
}

FileReader::~FileReader() { close(descriptor_); }

absl::StatusOr<std::string> FileReader::Read(int64_t most) {
  std::string bytes(static_cast<size_t>(most), '\0');
  size_t filled = 0;
  while (filled < bytes.size()) {
    const ssize_t size = read(descriptor_, bytes.data() + filled, bytes.size() - filled);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return FileError("read", path_, errno);
    if (size == 0) break;
    filled += static_cast<size_t>(size);
  }
  bytes.resize(filled);
  return bytes;
}

absl::StatusOr<std::string> FileSha256Hex(const std::string& path) {
  const absl::StatusOr<std::unique_ptr<FileReader>> file = FileReader::Open(path);
  if (!file.ok()) return file.status();
  Sha256 digest;
  while (true) {
    const absl::StatusOr<std::string> piece = (*file)->Read(1 << 20);
    if (!piece.ok()) return piece.status();
    if (piece->empty()) return digest.FinishHex();
    digest.Update(*piece);
  }
}

}  // namespace lvrpo
