#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/files/filesystem.h"

namespace lvrpo {

// The whole file, or everything read from a pipe or a terminal until it ends, at most 1 GiB; from other
// devices, some of which never end, at most 1 MiB. InvalidArgument: it holds more than these or `most` bytes,
// or is a folder; other errors as in common/files/filesystem.h.
absl::StatusOr<std::string> ReadFile(const std::string& path,
                                     int64_t most = std::numeric_limits<int64_t>::max());

// Writes a temporary file next to `path`, syncs it to disk, renames it over `path` and syncs the folder:
// after a crash `path` holds the old or the new bytes, never a mixture.
absl::Status WriteFileAtomic(const std::string& path, absl::string_view bytes);

// Appends to the file, which is created if missing; all the bytes or, if the disk is full, none of them.
absl::Status AppendToFile(const std::string& path, absl::string_view bytes);

// As WriteFileAtomic, for a file too large for memory: written in pieces to a temporary file next to `path`,
// which Commit() renames to `path`. Without Commit() the temporary file is removed. Not thread-safe.
class AtomicFile {
 public:
  static absl::StatusOr<std::unique_ptr<AtomicFile>> Create(const std::string& path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;

  absl::Status Append(absl::string_view bytes);
  absl::Status Commit();

 private:
  AtomicFile(std::string path, std::string temporary, int descriptor)
      : path_(std::move(path)), temporary_(std::move(temporary)), descriptor_(descriptor) {}

  const std::string path_, temporary_;
  int descriptor_;  // -1: closed
  bool committed_ = false;
};

}  // namespace lvrpo
