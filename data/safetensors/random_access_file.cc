#include "data/safetensors/random_access_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "common/files/file_kind.h"
#include "common/files/filesystem.h"

namespace lvrpo {

absl::StatusOr<std::shared_ptr<const RandomAccessFile>> RandomAccessFile::Open(const std::string& path) {
  // O_NONBLOCK: opening a pipe must not wait for a writer.
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return WithFileKind(FileError("open", path, errno), path);
  std::shared_ptr<RandomAccessFile> file(new RandomAccessFile(path, descriptor));
  struct stat info = {};
  if (fstat(descriptor, &info) != 0 || !S_ISREG(info.st_mode))
    return WithFileKind(absl::DataLossError(absl::StrCat(path, " is not a regular file")), path);
  file->size_ = static_cast<uint64_t>(info.st_size);
  file->changed_seconds_ = info.st_mtim.tv_sec;
  file->changed_nanoseconds_ = info.st_mtim.tv_nsec;
  return file;
}

RandomAccessFile::~RandomAccessFile() { close(descriptor_); }

absl::Status RandomAccessFile::Read(uint64_t offset, void* into, size_t bytes) const {
  constexpr size_t kMost = size_t{1} << 30;  // Linux reads at most 2 GiB a call
  char* out = static_cast<char*>(into);
  while (bytes > 0) {
    const ssize_t count = pread(descriptor_, out, std::min(bytes, kMost), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return FileError("read", path_, errno);
    if (count == 0) {
      return absl::DataLossError(
          absl::StrCat(path_, " ends at byte ", offset, ", although it had ", size_, " bytes when opened"));
    }
    out += count;
    offset += static_cast<uint64_t>(count);
    bytes -= static_cast<size_t>(count);
  }
  return absl::OkStatus();
}

absl::Status RandomAccessFile::CheckUnchanged() const {
  struct stat info = {};
  if (fstat(descriptor_, &info) == 0 && static_cast<uint64_t>(info.st_size) == size_ &&
      info.st_mtim.tv_sec == changed_seconds_ && info.st_mtim.tv_nsec == changed_nanoseconds_)
    return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(path_, " was changed while it was being read"));
}

}  // namespace lvrpo
