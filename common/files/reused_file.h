#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace lvrpo {

// Writes a file anew into the blocks that it has: in memory (tmpfs) that takes about half the time of a new
// file, and never more room than the larger of the old and the new one. Until Finish() the file is a mixture
// of both: whether it is complete must be said elsewhere. Not synced to disk. Not thread-safe.
class ReusedFile {
 public:
  // Opens the file, which is created if missing, readable by this user alone. Errors as in
  // common/files/filesystem.h.
  static absl::StatusOr<std::unique_ptr<ReusedFile>> Open(const std::string& path);
  ~ReusedFile();
  ReusedFile(const ReusedFile&) = delete;

  absl::Status Append(absl::string_view bytes);
  // Cuts off what is left of a longer old file.
  absl::Status Finish();

 private:
  ReusedFile(std::string path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}

  const std::string path_;
  const int descriptor_;
  int64_t written_ = 0;
};

}  // namespace lvrpo
