#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace lvrpo {

// Reads a file or a pipe line by line in bounded memory. Not thread-safe.
class LineReader {
 public:
  // Errors as in common/files/filesystem.h.
  static absl::StatusOr<std::unique_ptr<LineReader>> Open(const std::string& path);
  ~LineReader();
  LineReader(const LineReader&) = delete;

  // The next line without its end; false when there is none. InvalidArgument: it is longer than kMostBytes.
  absl::StatusOr<bool> Next(std::string* line);

  static constexpr size_t kMostBytes = size_t{256} << 20;

 private:
  LineReader(std::string path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}

  const std::string path_;
  const int descriptor_;
  std::string buffer_;  // read, not yet returned
  size_t at_ = 0;       // into buffer_
  bool ended_ = false;
};

}  // namespace lvrpo
