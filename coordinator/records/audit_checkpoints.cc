// Audits checkpoints: their records, manifests and steps must agree.

#include "absl/strings/str_cat.h"
#include "coordinator/records/audit_parts.h"
#include "coordinator/records/checkpoint_files.h"

namespace lvrpo {

absl::Status RunAudit::ReadCheckpoints() {
  Statement rows(store_.database(), "SELECT step, record FROM checkpoints ORDER BY step");
  std::vector<v1::CheckpointRecord> checkpoints;
  while (true) {
    absl::StatusOr<bool> row = rows.Step();
    if (!row.ok()) return row.status();
    if (!*row) break;
    v1::CheckpointRecord record;
    if (!record.ParseFromString(rows.Bytes(1)) || record.step() != rows.Integer(0)) {
      checkpoints_->Broken(
          absl::StrCat("the record of the checkpoint of ", rows.Integer(0), " steps is damaged"));
      continue;
    }
    checkpoints.push_back(std::move(record));
  }
  for (size_t i = 0; i < checkpoints.size(); ++i)
    CheckCheckpoint(checkpoints[i], i + 1 == checkpoints.size());
  const absl::StatusOr<std::vector<v1::CheckpointRecord>> abandoned = store_.AbandonedCheckpoints();
  if (!abandoned.ok()) return abandoned.status();
  for (const v1::CheckpointRecord& record : *abandoned) {
    if (record.step() > 0 && !ever_published_.contains({record.step(), record.version().digest()}))
      checkpoints_->Broken(absl::StrCat(record.path(), " was abandoned, and no step made its weights"));
  }
  return absl::OkStatus();
}

void RunAudit::CheckCheckpoint(const v1::CheckpointRecord& checkpoint, bool newest) {
  const auto broken = [&](const std::string& how) {
    checkpoints_->Broken(absl::StrCat(checkpoint.path(), " ", how));
  };
  const auto made = published_.find(checkpoint.step());
  if (checkpoint.step() == 0) {
    base_digests_.insert(checkpoint.version().digest());
  } else if (made == published_.end() || made->second != checkpoint.version().digest()) {
    broken("is recorded with other weights than its step made");
  }
  if (checkpoint.version().number() != checkpoint.step())
    broken("is recorded with another version than its step's");
  const CheckpointFiles files = LookAtCheckpoint(run_dir_, checkpoint, identity_.config_digest);
  // Older ones are removed; of the newest the object store may have the only copy.
  if (files.missing && (!newest || !checkpoint.store().empty())) return;
  for (const std::string& fault : files.faults) broken(fault);
}

}  // namespace lvrpo
