#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "data/safetensors/safetensors_layout.h"

namespace lvrpo {

struct SafetensorsEntry {
  std::string dtype;            // as in the file: "F32", "BF16", ...
  std::vector<uint64_t> shape;  // [] is a scalar
  absl::string_view bytes;      // little-endian, row-major; points into the mapping
};

// A safetensors file, mapped read-only. Every check of the reference reader, and duplicate names are refused
// too. Immutable; thread-safe. Views are valid as long as the object lives.
class SafetensorsFile {
 public:
  // NotFound, or DataLoss with what is wrong.
  static absl::StatusOr<std::shared_ptr<const SafetensorsFile>> Open(const std::string& path);
  ~SafetensorsFile();
  SafetensorsFile(const SafetensorsFile&) = delete;

  const std::map<std::string, SafetensorsEntry>& entries() const { return entries_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  bool has_metadata() const { return has_metadata_; }  // also when it is {}

 private:
  SafetensorsFile() = default;
  absl::Status Parse(absl::string_view file);

  void* mapping_ = nullptr;
  size_t size_ = 0;
  std::map<std::string, SafetensorsEntry> entries_;
  std::map<std::string, std::string> metadata_;
  bool has_metadata_ = false;
};

// Writes atomically (common/files/file.h).
absl::Status WriteSafetensors(const std::string& path, const std::map<std::string, SafetensorsEntry>& entries,
                              const std::map<std::string, std::string>& metadata);

}  // namespace lvrpo
