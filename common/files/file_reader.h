#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace lvrpo {

// Reads a file of any size in pieces. Not thread-safe.
class FileReader {
 public:
  // Errors as in common/files/filesystem.h.
  static absl::StatusOr<std::unique_ptr<FileReader>> Open(const std::string& path);
  ~FileReader();
  FileReader(const FileReader&) = delete;

  // The next bytes: `most` of them, or fewer at the file's end; empty after it.
  absl::StatusOr<std::string> Read(int64_t most);

 private:
  FileReader(std::string path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}

  const std::string path_;
  const int descriptor_;
};

// SHA-256 (lower-case hex) of a file, read in pieces: weights do not fit into memory twice.
absl::StatusOr<std::string> FileSha256Hex(const std::string& path);

}  // namespace lvrpo
