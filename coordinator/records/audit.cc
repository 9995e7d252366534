#include "coordinator/records/audit.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/files/file.h"
#include "coordinator/records/audit_parts.h"

namespace lvrpo {

void Promise::Broken(const std::string& how) {
  constexpr int kNamed = 3;
  if (broken_++ < kNamed) absl::StrAppend(&how_, how_.empty() ? "" : "; ", how);
}

Proof Promise::Result() const {
  constexpr int kNamed = 3;
  if (broken_ == 0) return {text_, true};
  return {absl::StrCat("NOT TRUE: ", text_, " (", how_,
                       broken_ > kNamed ? absl::StrCat("; ", broken_ - kNamed, " more") : "", ")"),
          false};
}

RunAudit::RunAudit(Store& store, std::string run_dir) : store_(store), run_dir_(std::move(run_dir)) {}

absl::Status RunAudit::Prepare() {
  const absl::StatusOr<RunIdentity> identity = store_.Identity();
  const absl::StatusOr<int64_t> steps = store_.CommittedSteps();
  const absl::StatusOr<int64_t> next_ordinal = store_.GetNumber("next_ordinal", 0);
  const absl::StatusOr<std::string> base = store_.GetText("base_digest");
  const absl::StatusOr<std::vector<v1::StepRecord>> abandoned = store_.AbandonedSteps();
  for (const absl::Status& status :
       {identity.status(), steps.status(), next_ordinal.status(), base.status(), abandoned.status()}) {
    if (!status.ok()) return status;
  }
  identity_ = *identity;
  steps_ = *steps;
  next_ordinal_ = *next_ordinal;
  base_digest_ = *base;
  finished_ = steps_ >= identity_.total_steps;
  chain_ = IdentityDigest(identity_);
  if (!base_digest_.empty()) base_digests_.insert(base_digest_);
  for (const v1::StepRecord& step : *abandoned)
    ever_published_.emplace(step.new_version().number(), step.new_version().digest());
  find_group_ = std::make_unique<Statement>(store_.database(),
                                            "SELECT state, step, record FROM groups WHERE ordinal = ?");
  find_acknowledgement_ = std::make_unique<Statement>(
      store_.database(),
      "SELECT 1 FROM acknowledgements WHERE member = ? AND incarnation = ? AND version = ? AND digest = ?");

  sequence_ = std::make_unique<Promise>(
      absl::StrCat("the ", steps_, " steps follow one another without a gap, each with its version"));
  once_ = std::make_unique<Promise>("every group was consumed at most once, by the step its record names");
  complete_ = std::make_unique<Promise>(
      absl::StrCat("every step consumed ", identity_.groups_per_step, " groups of ", identity_.group_size,
                   " samples with finite scores and rewards",
                   identity_.filter_zero_variance == 1 ? " that differ," : "", " and a stored trajectory"));
  fresh_ = std::make_unique<Promise>(
      absl::StrCat("no group was more than ", identity_.max_staleness, " steps old"));
  all_known_ = std::make_unique<Promise>(
      absl::StrCat("each of the ", next_ordinal_, " planned ordinals is accounted for"));
  versions_ = std::make_unique<Promise>(
      "every group and every worker used weights that were published with that very digest");
  checkpoints_ = std::make_unique<Promise>(
      "the newest checkpoint, and every older one that is kept, is intact and holds the weights of its step");
  evaluations_ = std::make_unique<Promise>(
      "every evaluation is of weights that a step made, or of the base, with scores that are possible");
  chain_whole_ = std::make_unique<Promise>(
      "each step's record names the digests of the one before it and of its groups");
  untouched_ =
      std::make_unique<Promise>("no record was changed, added or removed by anything but the coordinator");
  return absl::OkStatus();
}

absl::Status RunAudit::ReadSums() {
  const absl::StatusOr<std::vector<std::string>> changed = store_.ChangedTables();
  if (!changed.ok()) return changed.status();
  for (const std::string& table : *changed)
    untouched_->Broken(absl::StrCat("the rows of table ", table, " are not those that were written"));
  return absl::OkStatus();
}

std::vector<Proof> RunAudit::Proofs() const {
  std::vector<Proof> proofs;
  for (const auto* promise : {&sequence_, &once_, &complete_, &fresh_, &all_known_, &versions_, &checkpoints_,
                              &evaluations_, &chain_whole_, &untouched_})
    proofs.push_back((*promise)->Result());
  return proofs;
}

absl::StatusOr<std::vector<Proof>> AuditRun(const std::string& run_dir) {
  absl::StatusOr<std::unique_ptr<Store>> store = Store::OpenReadOnly(JoinPath(run_dir, "coordinator.sqlite"));
  if (!store.ok()) return store.status();
  RunAudit audit(**store, run_dir);
  for (absl::Status (RunAudit::*part)() :
       {&RunAudit::Prepare, &RunAudit::ReadSteps, &RunAudit::ReadGroups, &RunAudit::ReadAcknowledgements,
        &RunAudit::ReadCheckpoints, &RunAudit::ReadEvaluations, &RunAudit::ReadSums}) {
    if (absl::Status status = (audit.*part)(); !status.ok()) return status;
  }
  return audit.Proofs();
}

}  // namespace lvrpo
