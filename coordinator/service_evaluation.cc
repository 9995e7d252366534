// What the evaluation role reports: scores of versions on the held-out prompts.

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/net/rpc.h"
#include "coordinator/request_check.h"
#include "coordinator/service.h"
#include "coordinator/state/digests.h"

namespace lvrpo {
namespace {

std::string InWords(const v1::EvaluationRecord& evaluation) {
  std::string text = evaluation.step() == 0 ? std::string("base weights")
                                            : absl::StrFormat("after %d steps", evaluation.step());
  if (evaluation.has_score()) {
    absl::StrAppendFormat(&text, ": held-out score %.3f +- %.3f over %d images", evaluation.score(),
                          evaluation.standard_error(), evaluation.images());
  }
  if (evaluation.has_gain()) {
    absl::StrAppendFormat(&text, ", gain %+.3f +- %.3f (95 %%, %d pairs)", evaluation.gain(),
                          evaluation.gain_half_width(), evaluation.pairs());
  }
  if (evaluation.has_text_accuracy()) {
    absl::StrAppendFormat(&text, "; %.3f of %d questions right", evaluation.text_accuracy(),
                          evaluation.questions());
  }
  return text;
}

}  // namespace

grpc::Status CoordinatorService::ReportEvaluation(grpc::ServerContext*,
                                                  const v1::ReportEvaluationRequest* request,
                                                  v1::ReportEvaluationResponse*) {
  if (absl::Status status = CheckEvaluation(request->evaluation()); !status.ok()) return ToGrpcStatus(status);
  return Write(
      request->fence(), v1::ROLE_EVALUATION,
      [&](Draft& draft) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) -> absl::Status {
        v1::EvaluationRecord record = request->evaluation();
        if (record.step() > draft.state.committed_steps()) {
          return Refuse(v1::REFUSAL_AHEAD_OF_RECORDS,
                        absl::StrCat("an evaluation of step ", record.step(), ", and the run has taken ",
                                     draft.state.committed_steps()),
                        absl::StatusCode::kAborted);
        }
        const absl::StatusOr<std::string> made = WeightsOf(record.step(), draft.state);
        if (!made.ok()) return made.status();
        if (!made->empty() && !record.digest().empty() && record.digest() != *made) {
          return Refuse(v1::REFUSAL_WRONG_DIGEST,
                        absl::StrCat("an evaluation of other weights than step ", record.step(), " made"),
                        absl::StatusCode::kAborted);
        }
        if (const auto known = evaluations_.find(record.step()); known != evaluations_.end()) {
          record.set_unix_seconds(known->second.unix_seconds());
          if (RecordBytes(record) == RecordBytes(known->second)) return absl::OkStatus();
        }
        record.set_unix_seconds(absl::ToDoubleSeconds(clock_.Now() - absl::UnixEpoch()));
        draft.evaluation = record;
        Event(draft, "evaluation", InWords(record));
        draft.then.push_back(
            [this, record]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { evaluations_[record.step()] = record; });
        return absl::OkStatus();
      });
}

absl::Status CoordinatorService::RestoreEvaluations() {
  const absl::StatusOr<std::vector<v1::EvaluationRecord>> records = store_->Evaluations();
  if (!records.ok()) return records.status();
  evaluations_.clear();
  for (const v1::EvaluationRecord& record : *records) evaluations_[record.step()] = record;
  return absl::OkStatus();
}

void CoordinatorService::RefreshHeldOutGauges() {
  if (evaluations_.empty()) return;
  const v1::EvaluationRecord& newest = evaluations_.rbegin()->second;
  metrics_.Gauge("lvrpo_coordinator_heldout_step").Set(static_cast<double>(newest.step()));
  if (newest.has_score()) {
    metrics_.Gauge("lvrpo_coordinator_heldout_score").Set(newest.score());
  }
  if (newest.has_gain()) {
    metrics_.Gauge("lvrpo_coordinator_heldout_gain").Set(newest.gain());
  }
}

}  // namespace lvrpo
