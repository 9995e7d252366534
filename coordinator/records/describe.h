#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"

namespace lvrpo {

// Summary of a run folder's records, for reports: {"run_epochs", "steps", "total_steps",
// "config_digest", "groups_consumed",
// "groups_retired_by_reason": {reason: count}, "events": [{"unix_seconds", "kind", "text"}],
// "evaluations": [as EvaluationJson (data/heldout/evaluation.h), by step], "checkpoint"}
// where checkpoint is the newest one's path, or "". All is 0 for a run folder (run.json) whose coordinator
// ended before it had written anything. Errors as AuditRun.
absl::StatusOr<nlohmann::json> DescribeRun(const std::string& run_dir);

}  // namespace lvrpo
