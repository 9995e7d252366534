#pragma once

#include <string>
#include <vector>

#include "coordinator/state/run_state.h"
#include "coordinator/state/versions.h"
#include "gtest/gtest.h"
#include "tests/testing/messages.h"

namespace lvrpo {

inline const absl::Time kNow = absl::FromUnixSeconds(1000);

inline RunRules Rules(int staleness = 0) {
  RunRules rules;
  rules.total_steps = 4;
  rules.group_size = 2;
  rules.groups_per_step = 2;
  rules.max_staleness = staleness;
  rules.max_failures = 3;
  rules.lease = absl::Seconds(10);
  rules.lease_limit = absl::Seconds(60);
  return rules;
}

// A submit for a leased group; rewards 0 and 1 unless `equal`.
inline v1::SubmitGroupRequest Submit(const v1::GroupRecord& group, bool equal = false) {
  v1::SubmitGroupRequest request;
  request.mutable_fence()->set_member_id(group.member_id());
  *request.mutable_lease() = MakeLeaseId(group.ordinal(), group.attempt());
  *request.mutable_version() = group.version();
  request.set_trajectory_digest("bytes");
  request.set_log_probs_finite(true);
  for (int slot = 0; slot < 2; ++slot) {
    v1::SampleSummary& sample = *request.add_samples();
    sample.set_slot(slot);
    sample.set_reward(equal ? 1.0f : static_cast<float>(slot));
    v1::ComponentScore& score = *sample.add_scores();
    score.set_name("instruction");
    score.set_outcome(v1::ComponentScore::OK);
    score.set_score(sample.reward());
  }
  return request;
}

inline v1::ReturnLeaseRequest Return(const v1::GroupRecord& group, v1::ReturnReason reason,
                                     const std::string& detail = "") {
  v1::ReturnLeaseRequest request;
  request.mutable_fence()->set_member_id(group.member_id());
  *request.mutable_lease() = MakeLeaseId(group.ordinal(), group.attempt());
  request.set_reason(reason);
  request.set_detail(detail);
  return request;
}

inline void Lose(RunState& state, int64_t ordinal, v1::RetireReason reason) {
  v1::ReportLostGroupsRequest request;
  v1::LostGroup& group = *request.add_groups();
  group.set_ordinal(ordinal);
  group.set_reason(reason);
  state.Lose(request.groups());
}

inline v1::CommitStepRequest Commit(int64_t step, const std::vector<int64_t>& ordinals) {
  v1::CommitStepRequest request;
  request.set_step(step);
  for (const int64_t ordinal : ordinals) request.add_ordinals(ordinal);
  *request.mutable_new_version() = Version(step + 1);
  return request;
}

inline RunState::LeaseDecision Lease(RunState& state, const std::string& member,
                                     const v1::PolicyVersion& version, absl::Time now = kNow) {
  return state.Lease({.member = member, .incarnation = 1, .version = version}, now);
}

inline v1::GroupRecord MustLease(RunState& state, const std::string& member, int64_t version,
                                 absl::Time now = kNow) {
  const RunState::LeaseDecision decision = Lease(state, member, Version(version), now);
  EXPECT_NE(decision.group, nullptr) << InWords(decision.blocker);
  return decision.group == nullptr ? v1::GroupRecord() : *decision.group;
}

// A state and the steps that a store would keep for it.
struct TestRun {
  explicit TestRun(const RunRules& rules = Rules()) : state(rules) {
    EXPECT_TRUE(state.StartTraining(Version(0), {}).ok());
  }

  absl::Status Start(const v1::PolicyVersion& version) {
    const auto first = static_cast<size_t>(std::max<int64_t>(version.number() - 1, 0));
    std::vector<v1::StepRecord> since;
    if (first < steps.size()) since.assign(steps.begin() + static_cast<long>(first), steps.end());
    const absl::Status status = state.StartTraining(version, since);
    if (status.ok()) steps.resize(static_cast<size_t>(version.number()));
    return status;
  }
  absl::Status CommitStep(const v1::CommitStepRequest& request) {
    const int64_t before = state.committed_steps();
    const absl::Status status = state.Commit(request, 0);
    if (status.ok() && state.committed_steps() > before) steps.push_back(*state.last_step());
    return status;
  }
  // One whole step of two groups; returns the ordinals it consumed.
  std::vector<int64_t> TakeStep() {
    const int64_t step = state.committed_steps();
    while (state.Count(v1::COMPLETE) < 2) EXPECT_TRUE(state.Submit(Submit(MustLease(state, "w", step))).ok());
    const auto assigned = state.Assign(step);
    std::vector<int64_t> ordinals;
    for (const GroupPointer& group : *assigned) ordinals.push_back(group->ordinal());
    EXPECT_TRUE(CommitStep(Commit(step, ordinals)).ok());
    return ordinals;
  }
  absl::Status Checkpoint() {
    v1::CheckpointRecord record;
    record.set_step(state.committed_steps());
    return state.RecordCheckpoint(&record, state.WeightsOf(record.step()), "");
  }

  RunState state;
  std::vector<v1::StepRecord> steps;
};

}  // namespace lvrpo
