#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cli/local/progress.h"
#include "nlohmann/json.hpp"
#include "proto/lvrpo/v1/coordinator.pb.h"

namespace lvrpo {

// host:port of a run's coordinator, from --coordinator or the run folder's coordinator.json.
absl::StatusOr<std::string> CoordinatorAddress(const std::string& run_dir, const std::string& address);

// A run's status as one JSON object, for `lvrpo status --json`: "run_id", "state" (running, draining,
// finished or stopped), "step", "total_steps", "seconds_left" (null: not known), "waiting_for",
// "groups_by_state", "groups_retired_by_reason", "reward_means", "version", "digest",
// "seconds_since_progress", "run_epoch", "heldout" (null, or as EvaluationJson in data/heldout/evaluation.h),
// "members". Pure.
nlohmann::json RunningStatus(const v1::GetStatusResponse& status, std::optional<double> seconds_left);
// The same for a run without a coordinator, from its records (coordinator/records/describe.h): with
// "checkpoint" and "last_event", without members.
nlohmann::json StoppedStatus(const std::string& run_dir, const nlohmann::json& records);
// Either of them in words.
std::string FormatStatus(const nlohmann::json& status);

// When the steps of metrics.jsonl's lines were committed.
std::vector<StepTime> StepTimes(const std::vector<nlohmann::json>& lines);

// RunningStatus from the coordinator, or, when it does not answer, StoppedStatus from the records of
// `run_dir`.
absl::StatusOr<nlohmann::json> LookAtRun(const std::string& run_dir, const std::string& coordinator);

// `lvrpo status`: prints it.
absl::Status ShowStatus(const std::string& run_dir, const std::string& coordinator, bool json);

}  // namespace lvrpo
