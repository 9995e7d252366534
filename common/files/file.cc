#include "common/files/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>

#include "absl/strings/str_cat.h"

namespace lvrpo {
namespace {

absl::Status WriteAll(int descriptor, absl::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = write(descriptor, bytes.data(), bytes.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return FileError("write", path, errno);
    }
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

constexpr int64_t kMostOfPipe = int64_t{1} << 30, kMostOfDevice = int64_t{1} << 20;

// The most bytes to read of what is open: only a regular file is known to end.
int64_t MostOf(int descriptor, const struct stat& about, int64_t most) {
  if (S_ISREG(about.st_mode)) return most;
  const bool device = S_ISCHR(about.st_mode) && isatty(descriptor) == 0;
  return std::min(most, device ? kMostOfDevice : kMostOfPipe);
}

}  // namespace

absl::StatusOr<std::string> ReadFile(const std::string& path, int64_t most) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return FileError("read", path, errno);
  std::string bytes;
  struct stat about = {};
  if (fstat(descriptor, &about) == 0) {
    most = MostOf(descriptor, about, most);
    if (S_ISREG(about.st_mode))
      bytes.reserve(static_cast<size_t>(std::min<int64_t>({about.st_size, most, 1 << 30})));
  }
  char piece[1 << 16];
  while (true) {
    if (static_cast<int64_t>(bytes.size()) > most || about.st_size > most) {
      close(descriptor);
      return absl::InvalidArgumentError(
          absl::StrCat(path, " holds more than ", most, " bytes, the most that is read of it"));
    }
    const ssize_t size = read(descriptor, piece, sizeof(piece));
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) {
      const int error = size < 0 ? errno : 0;
      close(descriptor);
      if (error == EISDIR)
        return absl::InvalidArgumentError(absl::StrCat(path, " is a folder where a file belongs"));
      if (error != 0) return FileError("read", path, error);
      return bytes;
    }
    bytes.append(piece, static_cast<size_t>(size));
  }
}

absl::Status AppendToFile(const std::string& path, absl::string_view bytes) {
  const int descriptor = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (descriptor < 0) return FileError("write", path, errno);
  const off_t before = lseek(descriptor, 0, SEEK_END);
  absl::Status status = WriteAll(descriptor, bytes, path);
  const bool torn = !status.ok() && before >= 0 && lseek(descriptor, 0, SEEK_END) > before;
  if (torn && ftruncate(descriptor, before) != 0)
    status = absl::DataLossError(absl::StrCat(status.message(), ", and its end is torn now"));
  close(descriptor);
  return status;
}

absl::StatusOr<std::unique_ptr<AtomicFile>> AtomicFile::Create(const std::string& path) {
  static std::atomic<uint64_t> serial = 0;  // two threads may write one path
  const std::string temporary = absl::StrCat(path, ".tmp.", getpid(), ".", serial++);
  const int descriptor = open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (descriptor < 0) return FileError("write", temporary, errno);
  return std::unique_ptr<AtomicFile>(new AtomicFile(path, temporary, descriptor));
}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) close(descriptor_);
  if (!committed_) unlink(temporary_.c_str());
}

absl::Status AtomicFile::Append(absl::string_view bytes) { return WriteAll(descriptor_, bytes, temporary_); }

absl::Status AtomicFile::Commit() {
  const bool synced = fsync(descriptor_) == 0;
  if (!synced) return FileError("write", path_, errno);
  const int descriptor = descriptor_;
  descriptor_ = -1;
  if (close(descriptor) != 0 || rename(temporary_.c_str(), path_.c_str()) != 0)
    return FileError("write", path_, errno);
  committed_ = true;
  return SyncFolder(ParentFolder(path_));
}

absl::Status WriteFileAtomic(const std::string& path, absl::string_view bytes) {
  absl::StatusOr<std::unique_ptr<AtomicFile>> file = AtomicFile::Create(path);
  if (!file.ok()) return file.status();
  if (absl::Status status = (*file)->Append(bytes); !status.ok()) return status;
  return (*file)->Commit();
}

}  // namespace lvrpo
