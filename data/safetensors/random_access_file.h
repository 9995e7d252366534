#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace lvrpo {

// A regular file with reads at any offset, not memory-mapped: a file truncated meanwhile gives an error, not
// a signal. Thread-safe.
class RandomAccessFile {
 public:
  // NotFound, PermissionDenied, or DataLoss when it is not a regular file.
  static absl::StatusOr<std::shared_ptr<const RandomAccessFile>> Open(const std::string& path);
  ~RandomAccessFile();
  RandomAccessFile(const RandomAccessFile&) = delete;

  // DataLoss when the file ends before `bytes` bytes from `offset`.
  absl::Status Read(uint64_t offset, void* into, size_t bytes) const;
  // DataLoss when its size or time of change are no longer those of Open().
  absl::Status CheckUnchanged() const;

  const std::string& path() const { return path_; }
  uint64_t size() const { return size_; }  // at Open()
  int descriptor() const { return descriptor_; }

 private:
  RandomAccessFile(std::string path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}

  const std::string path_;
  const int descriptor_;
  uint64_t size_ = 0;
  int64_t changed_seconds_ = 0, changed_nanoseconds_ = 0;
};

}  // namespace lvrpo
