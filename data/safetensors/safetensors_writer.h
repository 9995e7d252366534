#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/files/file.h"

namespace lvrpo {

struct SafetensorsDescription {
  std::string name, dtype;
  std::vector<uint64_t> shape;

  uint64_t bytes() const;
};

// Sorts the tensors into the reference writer's order (by dtype, widest alignment first, then by name) and
// returns the bytes of the header: its length, then JSON padded with spaces to a multiple of 8.
std::string SafetensorsHeader(std::vector<SafetensorsDescription>& tensors,
                              const std::map<std::string, std::string>& metadata,
                              bool empty_metadata = false);

// Writes a safetensors file whose tensors need not fit into memory: the header first, then the tensors' bytes
// in order(), in pieces of any size. Finish() syncs the file to disk and renames it into place; without it
// the temporary file is removed. Not thread-safe.
class SafetensorsWriter {
 public:
  static absl::StatusOr<std::unique_ptr<SafetensorsWriter>> Create(
      const std::string& path, std::vector<SafetensorsDescription> tensors,
      const std::map<std::string, std::string>& metadata);

  const std::vector<SafetensorsDescription>& order() const { return order_; }
  absl::Status Append(absl::string_view bytes);
  // FailedPrecondition when fewer or more bytes were written than the header declares.
  absl::Status Finish();

 private:
  SafetensorsWriter(std::vector<SafetensorsDescription> order, std::unique_ptr<AtomicFile> file);

  const std::vector<SafetensorsDescription> order_;
  const std::unique_ptr<AtomicFile> file_;
  uint64_t promised_ = 0, written_ = 0;
};

}  // namespace lvrpo
