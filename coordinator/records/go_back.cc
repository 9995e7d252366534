#include "coordinator/records/go_back.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/files/file.h"
#include "common/files/file_lock.h"
#include "common/files/filesystem.h"
#include "coordinator/records/checkpoint_files.h"
#include "coordinator/records/restore.h"
#include "coordinator/records/store.h"

namespace lvrpo {
namespace {

// Whether the run can go on from the checkpoint of `step`, as far as its files tell.
absl::Status CheckIntact(const Store& store, const std::string& run_dir, int64_t step) {
  const absl::StatusOr<std::vector<v1::CheckpointRecord>> checkpoints = store.Checkpoints();
  const absl::StatusOr<RunIdentity> identity = store.Identity();
  for (const absl::Status& status : {checkpoints.status(), identity.status()}) {
    if (!status.ok()) return status;
  }
  for (const v1::CheckpointRecord& record : *checkpoints) {
    if (record.step() != step) continue;
    const CheckpointFiles files = LookAtCheckpoint(run_dir, record, identity->config_digest);
    if (files.missing && !record.store().empty()) continue;  // the learner fetches and verifies it
    if (!files.faults.empty())
      return absl::DataLossError(absl::StrCat(record.path(), " ", absl::StrJoin(files.faults, ", ")));
  }
  return absl::OkStatus();
}

absl::StatusOr<RunRules> RulesOf(const Store& store) {
  const absl::StatusOr<RunIdentity> identity = store.Identity();
  if (!identity.ok()) return identity.status();
  RunRules rules;
  rules.total_steps = identity->total_steps;
  rules.group_size = static_cast<int>(identity->group_size);
  rules.groups_per_step = static_cast<int>(identity->groups_per_step);
  rules.max_staleness = static_cast<int>(identity->max_staleness);
  rules.filter_zero_variance = identity->filter_zero_variance == 1;
  return rules;
}

}  // namespace

absl::Status GoBack(const std::string& run_dir, int64_t step, absl::Time now) {
  const std::string path = JoinPath(run_dir, "coordinator.sqlite");
  if (!IsFile(path))
    return absl::NotFoundError(absl::StrCat("there is no ", path, ": is this a run folder?"));
  const absl::StatusOr<FileLock> lock =
      FileLock::Take(JoinPath(run_dir, "coordinator.lock"), absl::ZeroDuration());
  if (!lock.ok()) return lock.status();
  absl::StatusOr<std::unique_ptr<Store>> store = Store::Open(path, /*run_id=*/"", /*config_digest=*/"");
  if (!store.ok()) return store.status();
  const absl::StatusOr<RunRules> rules = RulesOf(**store);
  if (!rules.ok()) return rules.status();
  absl::StatusOr<RunState> state = RestoreState(**store, *rules, now);
  if (!state.ok()) return state.status();
  const int64_t before = state->committed_steps();
  const absl::StatusOr<std::vector<v1::StepRecord>> since =
      (*store)->StepsFrom(std::max<int64_t>(step - 1, 0));
  if (!since.ok()) return since.status();
  if (absl::Status status = state->GoBackTo(step, *since); !status.ok()) return status;
  if (absl::Status status = CheckIntact(**store, run_dir, step); !status.ok()) return status;
  const EventRecord event{
      absl::ToDoubleSeconds(now - absl::UnixEpoch()), "went_back",
      absl::StrCat("an operator took the run back from ", before, " steps to ",
                   step == 0 ? "the base weights" : absl::StrCat("its checkpoint of ", step))};
  return (*store)->Transaction([&]() -> absl::Status {
    if (absl::Status status = (*store)->Put(state->TakeChanges()); !status.ok()) return status;
    return (*store)->PutEvent(event);
  });
}

}  // namespace lvrpo
