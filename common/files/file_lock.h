#pragma once

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace lvrpo {

// A file that one process at a time may hold (flock): the guard of what only one may write, such as a run
// folder. Given up by the destructor, and by the kernel when the process dies in whatever way.
class FileLock {
 public:
  // Makes the file if need be. Waits up to `patience` for a holder to leave, then Unavailable names the file;
  // Cancelled as soon as `give_up` says so.
  static absl::StatusOr<FileLock> Take(const std::string& path, absl::Duration patience,
                                       const std::function<bool()>& give_up = nullptr);
  FileLock(FileLock&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  FileLock& operator=(FileLock&&) = delete;
  ~FileLock();

 private:
  explicit FileLock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace lvrpo
