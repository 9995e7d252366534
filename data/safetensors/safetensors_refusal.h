#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace lvrpo {

// The status of a refused safetensors file: what it is instead, by its first bytes
// (common/files/file_kind.h), or `why` its header is wrong. DataLoss.
absl::Status UnsoundSafetensors(const std::string& path, absl::string_view beginning, absl::string_view why);

}  // namespace lvrpo
