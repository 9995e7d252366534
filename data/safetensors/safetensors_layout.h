#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "data/safetensors/random_access_file.h"

namespace lvrpo {

// Bits per element of a safetensors dtype name ("F32" -> 32); 0 for a name that is not one.
int SafetensorsDtypeBits(absl::string_view dtype);
// Its rank in the order of increasing alignment that writers use; -1 for a name that is not one.
int SafetensorsDtypeRank(absl::string_view dtype);

// The location of a tensor in its file.
struct SafetensorsPlace {
  std::string dtype;            // as in the file: "F32", "BF16", ...
  std::vector<uint64_t> shape;  // [] is a scalar
  uint64_t begin = 0, end = 0;  // bytes of the file, header included

  uint64_t bytes() const { return end - begin; }
  uint64_t elements() const;
};

// A safetensors header that passed every check of the reference reader: no holes, no overlaps, sizes that
// match shapes and dtypes, data that ends at the end of the file.
struct SafetensorsLayout {
  std::map<std::string, SafetensorsPlace> tensors;
  std::map<std::string, std::string> metadata;
  bool has_metadata = false;  // also when it is {}
};

// DataLoss says what is wrong. `file_size` in bytes; `json` follows the 8 bytes of the header's length.
absl::StatusOr<SafetensorsLayout> ParseSafetensorsLayout(absl::string_view json, uint64_t file_size);
// The length of the header's JSON from a file's first 8 bytes; DataLoss when the file cannot hold it.
absl::StatusOr<uint64_t> SafetensorsHeaderSize(absl::string_view first_bytes, uint64_t file_size);

// Reads the header and nothing else. DataLoss names the file and what is wrong with it.
absl::StatusOr<SafetensorsLayout> ReadSafetensorsLayout(const RandomAccessFile& file);

}  // namespace lvrpo
