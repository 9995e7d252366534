#pragma once

#include <string>
#include <vector>

#include "coordinator/state/run_state.h"
#include "gtest/gtest.h"

namespace lvrpo {

inline const absl::Time kNow = absl::FromUnixSeconds(1000);

inline v1::PolicyVersion Version(int64_t version) {
  v1::PolicyVersion v;
  v.set_number(version);
  v.set_digest("digest-" + std::to_string(version));
  return v;
}

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
  request.set_lease_id(group.lease_id());
  request.set_ordinal(group.ordinal());
  request.set_attempt(group.attempt());
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

inline v1::ReturnLeaseRequest Return(const v1::GroupRecord& group, const std::string& reason,
                                     bool data = false) {
  v1::ReturnLeaseRequest request;
  request.set_lease_id(group.lease_id());
  request.set_ordinal(group.ordinal());
  request.set_attempt(group.attempt());
  request.set_reason(reason);
  request.set_data_is_at_fault(data);
  return request;
}

inline v1::CommitStepRequest Commit(int64_t step, const std::vector<int64_t>& ordinals) {
  v1::CommitStepRequest request;
  request.set_step(step);
  for (const int64_t ordinal : ordinals) request.add_ordinals(ordinal);
  *request.mutable_new_version() = Version(step + 1);
  request.set_metrics_json("{}");
  return request;
}

inline v1::GroupRecord MustLease(RunState& state, const std::string& member, int64_t version,
                                 const std::string& lease_id, absl::Time now = kNow) {
  const RunState::LeaseDecision decision = state.Lease(member, 1, Version(version), lease_id, now);
  EXPECT_NE(decision.group, nullptr) << decision.waiting_for;
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
    for (int lease = 0; state.Count(v1::COMPLETE) < 2; ++lease) {
      const v1::GroupRecord group =
          MustLease(state, "w", step,
                    "s" + std::to_string(step) + "." + std::to_string(state.generation()) + "." +
                        std::to_string(lease));
      EXPECT_TRUE(state.Submit(Submit(group)).ok());
    }
    const auto assigned = state.Assign(step);
    std::vector<int64_t> ordinals;
    for (const v1::GroupRecord* group : *assigned) ordinals.push_back(group->ordinal());
    EXPECT_TRUE(CommitStep(Commit(step, ordinals)).ok());
    return ordinals;
  }
  absl::Status Checkpoint() {
    v1::CheckpointRecord record;
    record.set_step(state.committed_steps());
    return state.RecordCheckpoint(&record);
  }

  RunState state;
  std::vector<v1::StepRecord> steps;
};

}  // namespace lvrpo
