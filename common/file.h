#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace lvrpo {

// Whole file. NotFound names the path.
absl::StatusOr<std::string> ReadFile(const std::string& path);

// Writes a temporary file beside `path`, flushes it to disk, renames it over `path` and flushes the folder:
// afterwards the old or the new bytes are there, never a mixture.
absl::Status WriteFileAtomic(const std::string& path, absl::string_view bytes);

// The same for a file that is too large to be held: written piece by piece under another name beside `path`,
// it appears under its own with Commit(). Without Commit() nothing is left. Not thread-safe.
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

// Makes the folder and its parents.
absl::Status MakeFolder(const std::string& path);

// Flushes a folder's entries to disk.
absl::Status SyncFolder(const std::string& path);

std::string JoinPath(const std::string& folder, const std::string& name);

}  // namespace lvrpo
