#include "coordinator/records/restore.h"

namespace lvrpo {
namespace {

constexpr int kClosedGroups = 1024;  // retired ones whose submit may still be repeated

// The newest step, and its groups, whose submits may still be repeated.
absl::Status RestoreLastStep(const Store& store, int64_t steps, absl::Time now, RunState* state) {
  const absl::StatusOr<std::vector<v1::StepRecord>> last = store.StepsFrom(steps - 1);
  if (!last.ok()) return last.status();
  if (last->empty()) return absl::DataLossError("the newest step of the run's database has no record");
  const v1::StepRecord& step = last->back();
  if (step.step() != steps - 1)
    return absl::DataLossError("the newest step of the run's database is another one than its row says");
  state->RestoreLastStep(step, RecordDigest(RecordBytes(step)));
  for (const int64_t ordinal : step.ordinals()) {
    const absl::StatusOr<v1::GroupRecord> group = store.Group(ordinal);
    if (group.ok() && group->state() == v1::CONSUMED) state->RestoreGroup(*group, now);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<RunState> RestoreState(const Store& store, const RunRules& rules, absl::Time now) {
  const absl::StatusOr<PlanPosition> plan = store.Plan();
  const absl::StatusOr<std::string> base = store.GetText("base_digest");
  const absl::StatusOr<int64_t> steps = store.CommittedSteps();
  const absl::StatusOr<std::vector<v1::GroupRecord>> open = store.OpenGroups();
  const absl::StatusOr<std::vector<v1::GroupRecord>> closed = store.NewestRetired(kClosedGroups);
  const absl::StatusOr<std::map<v1::RetireReason, int64_t>> retired = store.RetiredByReason();
  const absl::StatusOr<std::vector<v1::CheckpointRecord>> checkpoints = store.Checkpoints();
  absl::StatusOr<RunIdentity> identity = store.Identity();
  for (const absl::Status& status :
       {plan.status(), base.status(), steps.status(), open.status(), closed.status(), retired.status(),
        checkpoints.status(), identity.status()}) {
    if (!status.ok()) return status;
  }
  identity->total_steps = rules.total_steps;
  identity->group_size = rules.group_size;
  identity->groups_per_step = rules.groups_per_step;
  identity->max_staleness = rules.max_staleness;
  identity->filter_zero_variance = rules.filter_zero_variance;
  RunState state(rules);
  state.RestoreChain(IdentityDigest(*identity));
  if (*steps > 0) {
    if (absl::Status status = RestoreLastStep(store, *steps, now, &state); !status.ok()) return status;
  }
  for (const std::vector<v1::GroupRecord>* groups : {&*closed, &*open}) {
    for (const v1::GroupRecord& group : *groups) state.RestoreGroup(group, now);
  }
  for (const v1::CheckpointRecord& checkpoint : *checkpoints) state.RestoreCheckpoint(checkpoint);
  state.RestoreRetired(*retired);
  state.RestoreBase(*base);
  state.RestorePlan(*plan);
  return state;
}

}  // namespace lvrpo
