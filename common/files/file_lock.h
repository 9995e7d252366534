#pragma once

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/clock.h"

namespace lvrpo {

// A lock file that one process at a time may hold (flock), for what only one may write, such as a run folder.
// Released by the destructor, and by the kernel when the process ends.
class FileLock {
 public:
  // Creates the file if missing. Waits up to `patience` for the current holder, then Unavailable names the
  // file; Cancelled as soon as `give_up` returns true.
  static absl::StatusOr<FileLock> Take(const std::string& path, absl::Duration patience,
                                       const std::function<bool()>& give_up = nullptr,
                                       const Waiting& waiting = {});
  FileLock(FileLock&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  FileLock& operator=(FileLock&&) = delete;
  ~FileLock();

 private:
  explicit FileLock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace lvrpo
