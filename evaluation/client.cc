#include "evaluation/client.h"

#include "data/heldout/evaluation.h"

namespace lvrpo {

absl::Status ReportEvaluation(MemberSession& session, const std::string& run_dir, int64_t step,
                              int64_t total) {
  const absl::StatusOr<v1::EvaluationRecord> record =
      ReadEvaluation(run_dir, EvaluationName(step, total), step);
  if (!record.ok()) return record.status();
  if (!record->has_score() && !record->has_text_accuracy()) return absl::OkStatus();  // of no prompts
  v1::ReportEvaluationRequest request;
  *request.mutable_evaluation() = *record;
  return session
      .Call<v1::ReportEvaluationRequest, v1::ReportEvaluationResponse>(
          &v1::Coordinator::Stub::ReportEvaluation, request)
      .status();
}

absl::Status ReportEvaluations(MemberSession& session, const std::string& run_dir, int64_t total) {
  absl::Status first;
  for (const int64_t step : CompleteEvaluations(run_dir, total))
    first.Update(ReportEvaluation(session, run_dir, step, total));
  return first;
}

}  // namespace lvrpo
