#include "common/tls/memory_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"

namespace lvrpo {
namespace {

absl::StatusOr<int> WithText(absl::string_view text) {
  const int descriptor = memfd_create("lvrpo", MFD_CLOEXEC);
  if (descriptor < 0) return absl::ErrnoToStatus(errno, "no file in memory");
  while (!text.empty()) {
    const ssize_t written = write(descriptor, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      const absl::Status status = absl::ErrnoToStatus(errno, "cannot write a file in memory");
      close(descriptor);
      return status;
    }
    text.remove_prefix(static_cast<size_t>(written));
  }
  return descriptor;
}

}  // namespace

absl::StatusOr<MemoryFile> MemoryFile::Create() {
  const absl::StatusOr<int> descriptor = WithText("");
  if (!descriptor.ok()) return descriptor.status();
  return MemoryFile(*descriptor);
}

MemoryFile::MemoryFile(MemoryFile&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

MemoryFile::~MemoryFile() {
  if (descriptor_ >= 0) close(descriptor_);
}

absl::Status MemoryFile::Put(absl::string_view text) {
  const absl::StatusOr<int> fresh = WithText(text);
  if (!fresh.ok()) return fresh.status();
  // The path names the new file from here on.
  const bool replaced = dup3(*fresh, descriptor_, O_CLOEXEC) >= 0;
  const absl::Status status = replaced ? absl::OkStatus() : absl::ErrnoToStatus(errno, "no file in memory");
  close(*fresh);
  return status;
}

std::string MemoryFile::path() const { return absl::StrCat("/proc/self/fd/", descriptor_); }

}  // namespace lvrpo
