#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "coordinator/client.h"

namespace lvrpo {

// The member that reports evaluations, unless a flag says otherwise.
inline constexpr char kEvaluationMember[] = "evaluation-0";

// Reports the evaluation of `step` steps in a run's folder (of a run of `total` steps) to the coordinator;
// `session` is of ROLE_EVALUATION. Again is allowed. Errors of ReadEvaluation (data/heldout/evaluation.h) and
// of MemberSession::Call.
absl::Status ReportEvaluation(MemberSession& session, const std::string& run_dir, int64_t step,
                              int64_t total);

// Reports all that are complete in the folder. The first error.
absl::Status ReportEvaluations(MemberSession& session, const std::string& run_dir, int64_t total);

}  // namespace lvrpo
