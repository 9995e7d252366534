#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace lvrpo {

// A file without a folder, which this process alone opens by its path. It is gone with the object. Not
// thread-safe, but for readers of the file: each opens the old or the new text, never a mixture.
class MemoryFile {
 public:
  // Empty at first. Internal where the system has none.
  static absl::StatusOr<MemoryFile> Create();
  MemoryFile(MemoryFile&& other) noexcept;
  MemoryFile& operator=(MemoryFile&&) = delete;
  ~MemoryFile();

  absl::Status Put(absl::string_view text);
  std::string path() const;

 private:
  explicit MemoryFile(int descriptor) : descriptor_(descriptor) {}

  int descriptor_;  // -1: moved away
};

}  // namespace lvrpo
