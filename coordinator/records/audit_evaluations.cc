// Audits evaluations: each is of weights that the run made.

#include "absl/strings/str_cat.h"
#include "coordinator/records/audit_parts.h"

namespace lvrpo {
namespace {

bool IsShare(double value) { return value >= 0 && value <= 1; }

}  // namespace

absl::Status RunAudit::ReadEvaluations() {
  const absl::StatusOr<std::vector<v1::EvaluationRecord>> records = store_.Evaluations();
  if (!records.ok()) return records.status();
  for (const v1::EvaluationRecord& record : *records) {
    const auto broken = [&](const std::string& how) {
      evaluations_->Broken(absl::StrCat("that of step ", record.step(), " ", how));
    };
    if (record.step() < 0 || record.step() > steps_) broken("is of a step that was not taken");
    if (!IsShare(record.score()) || !IsShare(record.text_accuracy()) || !(record.gain() >= -1) ||
        !(record.gain() <= 1))
      broken("has a score that is not possible");
    if (record.digest().empty()) continue;
    if (record.step() == 0) {
      if (!base_digests_.empty() && !base_digests_.contains(record.digest()))
        broken("is of other base weights");
    } else if (const auto made = published_.find(record.step());
               made == published_.end() || made->second != record.digest()) {
      broken("is of other weights than its step made");
    }
  }
  return absl::OkStatus();
}

}  // namespace lvrpo
