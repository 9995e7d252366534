#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace lvrpo {

// The host:port in a file in which a role publishes its address (coordinator.json, --address-file). DataLoss
// when it is damaged, else errors of ReadFile.
absl::StatusOr<std::string> ReadAddressFile(const std::string& path);

}  // namespace lvrpo
