#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"

namespace lvrpo {

// Summary of a run folder's records (coordinator/records/describe.h), read by lvrpo-coordinator: the command
// line links no database. Errors of Capture.
absl::StatusOr<nlohmann::json> ReadRecords(const std::string& run_dir);

}  // namespace lvrpo
