#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace lvrpo {

// A tensor as the header's JSON describes it; ranges and sizes are not checked yet.
struct RawTensor {
  std::string name;
  std::string dtype;
  std::vector<uint64_t> shape;
  uint64_t begin = 0, end = 0;
};

struct RawHeader {
  std::vector<RawTensor> tensors;
  std::map<std::string, std::string> metadata;
  bool has_metadata = false;  // also when it is {}
};

// Parses the JSON of a safetensors header in one streaming pass. Refuses duplicate names at any level that
// matters, numbers that are not plain unsigned integers (-0, 8.0, 8e0), and anything but the object form.
// White space around the object and unknown fields inside an entry are allowed.
absl::StatusOr<RawHeader> ParseSafetensorsHeader(absl::string_view json);

}  // namespace lvrpo
