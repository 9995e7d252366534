#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"

namespace lvrpo {

// What a run folder's records say, for reports: {"run_epochs", "steps", "total_steps",
// "config_digest", "groups_consumed",
// "groups_retired_by_reason": {reason: count}, "events": [{"unix_seconds", "kind", "text"}], "checkpoint"}
// where checkpoint is the newest one's path, or "". Of a run folder (run.json) whose coordinator ended before
// it had written anything all is 0. Errors as AuditRun.
absl::StatusOr<nlohmann::json> DescribeRun(const std::string& run_dir);

}  // namespace lvrpo
