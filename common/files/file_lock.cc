#include "common/files/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace lvrpo {

absl::StatusOr<FileLock> FileLock::Take(const std::string& path, absl::Duration patience,
                                        const std::function<bool()>& give_up, const Waiting& waiting) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) {
    return absl::PermissionDeniedError(absl::StrCat("cannot open ", path, ": ", std::strerror(errno)));
  }
  FileLock lock(fd);
  const absl::Time deadline = waiting.clock->Now() + patience;
  while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) {
      return absl::InternalError(absl::StrCat("cannot lock ", path, ": ", std::strerror(errno)));
    }
    if (give_up && give_up()) return absl::CancelledError(absl::StrCat("stopped while waiting for ", path));
    if (waiting.clock->Now() >= deadline) {
      return absl::UnavailableError(
          absl::StrCat("another process holds ", path, ": wait until it has ended, or stop it"));
    }
    waiting.sleep(absl::Milliseconds(50));
  }
  return lock;
}

FileLock::~FileLock() {
  if (fd_ >= 0) close(fd_);
}

}  // namespace lvrpo
