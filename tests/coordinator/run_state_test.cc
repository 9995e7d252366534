#include "coordinator/run_state.h"

#include <cmath>
#include <limits>

#include "common/random.h"
#include "gtest/gtest.h"

namespace lvrpo {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1000);

v1::PolicyVersion Version(int64_t version) {
  v1::PolicyVersion v;
  v.set_version(version);
  v.set_digest("digest-" + std::to_string(version));
  return v;
}

RunRules Rules(int staleness = 0) {
  RunRules rules;
  rules.total_steps = 4;
  rules.group_size = 2;
  rules.groups_per_step = 2;
  rules.max_staleness = staleness;
  rules.max_failures = 3;
  rules.lease = absl::Seconds(10);
  return rules;
}

// A submit for a leased group; rewards 0 and 1 unless `equal`.
v1::SubmitGroupRequest Submit(const v1::GroupRecord& group, bool equal = false) {
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

v1::GroupRecord MustLease(RunState& state, const std::string& member, int64_t version,
                          const std::string& lease_id) {
  const RunState::LeaseDecision decision = state.Lease(member, Version(version), lease_id, kNow);
  EXPECT_NE(decision.group, nullptr) << decision.waiting_for;
  return decision.group == nullptr ? v1::GroupRecord() : *decision.group;
}

v1::CommitStepRequest Commit(int64_t step, const std::vector<int64_t>& ordinals) {
  v1::CommitStepRequest request;
  request.set_step(step);
  for (const int64_t ordinal : ordinals) request.add_ordinals(ordinal);
  *request.mutable_new_version() = Version(step + 1);
  request.set_metrics_json("{}");
  return request;
}

// One whole step of two groups; returns the ordinals it consumed.
std::vector<int64_t> TakeStep(RunState& state) {
  const int64_t step = state.committed_steps();
  int lease = 0;
  while (state.Count(v1::COMPLETE) < 2) {
    const v1::GroupRecord group =
        MustLease(state, "w", step,
                  "s" + std::to_string(step) + "." + std::to_string(state.generation()) + "." +
                      std::to_string(lease++));
    EXPECT_TRUE(state.Submit(Submit(group)).ok());
  }
  const auto assigned = state.Assign(step);
  std::vector<int64_t> ordinals;
  for (const v1::GroupRecord* group : *assigned) ordinals.push_back(group->ordinal());
  EXPECT_TRUE(state.Commit(Commit(step, ordinals), 0).ok());
  return ordinals;
}

TEST(RunState, LeasesNothingBeforeALearnerStarted) {
  RunState state(Rules());
  EXPECT_EQ(state.Lease("w", Version(0), "l", kNow).group, nullptr);
  ASSERT_TRUE(state.StartTraining(Version(0)).ok());
  EXPECT_NE(state.Lease("w", Version(0), "l", kNow).group, nullptr);
}

TEST(RunState, LeasesOnlyForTheCurrentWeights) {
  RunState state(Rules());
  ASSERT_TRUE(state.StartTraining(Version(0)).ok());
  EXPECT_EQ(state.Lease("w", Version(1), "l", kNow).group, nullptr);
  v1::PolicyVersion other = Version(0);
  other.set_digest("other");
  EXPECT_EQ(state.Lease("w", other, "l", kNow).group, nullptr);
}

TEST(RunState, NeverLeasesMoreThanStalenessAllows) {
  for (const int staleness : {0, 1}) {
    RunState state(Rules(staleness));
    ASSERT_TRUE(state.StartTraining(Version(0)).ok());
    for (int i = 0; i < 2 * (staleness + 1); ++i) MustLease(state, "w", 0, "l" + std::to_string(i));
    EXPECT_EQ(state.Lease("w", Version(0), "more", kNow).group, nullptr);
  }
}

TEST(RunState, ExpiredLeasesArePlannedAgainAndTheOldOneIsRefused) {
  RunState state(Rules());
  ASSERT_TRUE(state.StartTraining(Version(0)).ok());
  const v1::GroupRecord old = MustLease(state, "w", 0, "old");
  EXPECT_EQ(state.ExpireLeases(kNow + absl::Seconds(9)), 0);
  EXPECT_EQ(state.ExpireLeases(kNow + absl::Seconds(10)), 1);
  const v1::GroupRecord again = MustLease(state, "v", 0, "new");
  EXPECT_EQ(again.ordinal(), old.ordinal());
  EXPECT_EQ(again.attempt(), old.attempt() + 1);
  EXPECT_TRUE(absl::IsFailedPrecondition(state.Submit(Submit(old)).status()));
  EXPECT_TRUE(state.Submit(Submit(again))->accepted());
}

TEST(RunState, RenewedLeasesLiveOnAndLostOnesAreNamed) {
  RunState state(Rules());
  ASSERT_TRUE(state.StartTraining(Version(0)).ok());
  MustLease(state, "w", 0, "l");
  EXPECT_TRUE(state.RenewLeases("w", {0}, kNow + absl::Seconds(9)).empty());
  EXPECT_EQ(state.ExpireLeases(kNow + absl::Seconds(12)), 0);
  EXPECT_EQ(state.RenewLeases("other", {0, 5}, kNow), (std::vector<int64_t>{0, 5}));
}

TEST(RunState, ARepeatedSubmitGetsTheFirstAnswer) {
  RunState state(Rules());
  ASSERT_TRUE(state.StartTraining(Version(0)).ok());
  const v1::GroupRecord good = MustLease(state, "w", 0, "a");
  EXPECT_TRUE(state.Submit(Submit(good))->accepted());
  const auto again = state.Submit(Submit(good));
  EXPECT_TRUE(again->accepted());
  EXPECT_TRUE(again->repeated_submit());
  const v1::GroupRecord flat = MustLease(state, "w", 0, "b");
  EXPECT_EQ(state.Submit(Submit(flat, true))->retired_reason(), "zero_variance");
  EXPECT_EQ(state.Submit(Submit(flat, true))->retired_reason(), "zero_variance");
  EXPECT_EQ(state.retired_by_reason().at("zero_variance"), 1);
}

TEST(RunState, AZeroVarianceGroupIsReplacedByAnotherOrdinal) {
  RunState state(Rules());
  ASSERT_TRUE(state.StartTraining(Version(0)).ok());
  const v1::GroupRecord flat = MustLease(state, "w", 0, "a");
  state.Submit(Submit(flat, true)).IgnoreError();
  std::set<int64_t> ordinals;
  for (const char* lease : {"b", "c"}) ordinals.insert(MustLease(state, "w", 0, lease).ordinal());
  EXPECT_EQ(ordinals, (std::set<int64_t>{1, 2}));
}

TEST(RunState, RefusesWrongSubmits) {
  RunState state(Rules());
  ASSERT_TRUE(state.StartTraining(Version(0)).ok());
  const v1::GroupRecord group = MustLease(state, "w", 0, "a");
  v1::SubmitGroupRequest request = Submit(group);
  request.mutable_samples()->RemoveLast();
  EXPECT_TRUE(absl::IsInvalidArgument(state.Submit(request).status()));
  request = Submit(group);
  request.mutable_samples(1)->set_slot(0);
  EXPECT_TRUE(absl::IsInvalidArgument(state.Submit(request).status()));
  request = Submit(group);
  *request.mutable_version() = Version(3);
  EXPECT_TRUE(absl::IsFailedPrecondition(state.Submit(request).status()));
  EXPECT_TRUE(state.Submit(Submit(group))->accepted());
}

TEST(RunState, FailuresPlanTheOrdinalAgainUntilThereAreTooMany) {
  RunState state(Rules());
  ASSERT_TRUE(state.StartTraining(Version(0)).ok());
  for (int i = 0; i < 3; ++i) {
    const v1::GroupRecord group = MustLease(state, "w", 0, "l" + std::to_string(i));
    EXPECT_EQ(group.ordinal(), 0);
    EXPECT_EQ(group.attempt(), i);
    v1::SubmitGroupRequest request = Submit(group);
    if (i == 0) request.set_log_probs_finite(false);
    if (i == 1) request.mutable_samples(0)->set_reward(std::numeric_limits<float>::quiet_NaN());
    if (i == 2) request.mutable_samples(0)->mutable_scores(0)->set_outcome(v1::ComponentScore::SCORER_FAILED);
    EXPECT_FALSE(state.Submit(request)->accepted());
  }
  EXPECT_EQ(state.retired_by_reason().at("reward_failed"), 1);
  EXPECT_EQ(MustLease(state, "w", 0, "next").ordinal(), 1);
}

TEST(RunState, OutagesNeverCostAPrompt) {
  RunState state(Rules());
  ASSERT_TRUE(state.StartTraining(Version(0)).ok());
  for (int i = 0; i < 20; ++i) {
    const v1::GroupRecord group = MustLease(state, "w", 0, "l" + std::to_string(i));
    EXPECT_EQ(group.ordinal(), 0);
    v1::ReturnLeaseRequest request;
    request.set_lease_id(group.lease_id());
    request.set_reason(i % 2 == 0 ? "reward_unreachable" : "learner_unreachable");
    ASSERT_TRUE(state.Return(request).ok());
  }
  EXPECT_TRUE(state.retired_by_reason().empty());
}

TEST(RunState, WhatAnotherAttemptCannotMendIsRetiredAtOnce) {
  RunState state(Rules());
  ASSERT_TRUE(state.StartTraining(Version(0)).ok());
  v1::SubmitGroupRequest request = Submit(MustLease(state, "w", 0, "a"));
  request.mutable_samples(1)->mutable_scores(0)->set_outcome(v1::ComponentScore::INVALID_INPUT);
  EXPECT_EQ(state.Submit(request)->retired_reason(), "bad_prompt");
  request = Submit(MustLease(state, "w", 0, "b"));
  request.mutable_samples(0)->clear_scores();
  EXPECT_EQ(state.Submit(request)->retired_reason(), "no_reward");
  EXPECT_EQ(state.retired_by_reason().size(), 2u);
  request = Submit(MustLease(state, "w", 0, "c"));
  request.clear_lease_id();
  EXPECT_TRUE(absl::IsInvalidArgument(state.Submit(request).status()));
}

TEST(RunState, WeightsThatTheRecordsDoNotNameCannotGoOn) {
  RunState state(Rules());
  v1::PolicyVersion negative = Version(0);
  negative.set_version(-1);
  EXPECT_TRUE(absl::IsInvalidArgument(state.StartTraining(negative)));
  v1::StepRecord step;
  *step.mutable_new_version() = Version(1);
  state.RestoreStep(step);
  v1::PolicyVersion other = Version(1);
  other.set_digest("other");
  EXPECT_TRUE(absl::IsInvalidArgument(state.StartTraining(other)));
  EXPECT_TRUE(state.StartTraining(Version(1)).ok());
}

TEST(RunState, ReturnedLeases) {
  RunState state(Rules());
  ASSERT_TRUE(state.StartTraining(Version(0)).ok());
  v1::ReturnLeaseRequest request;
  request.set_lease_id("a");
  request.set_reason("drain");
  EXPECT_TRUE(absl::IsFailedPrecondition(state.Return(request)));
  MustLease(state, "w", 0, "a");
  EXPECT_TRUE(state.Return(request).ok());
  EXPECT_EQ(MustLease(state, "w", 0, "b").ordinal(), 0);
  request.set_lease_id("b");
  request.set_reason("bad_prompt");
  request.set_data_is_at_fault(true);
  EXPECT_TRUE(state.Return(request).ok());
  EXPECT_EQ(MustLease(state, "w", 0, "c").ordinal(), 1);
}

TEST(RunState, AStepTakesTheLowestGroupsAndIsTheSameWhenAskedAgain) {
  RunState state(Rules(1));
  ASSERT_TRUE(state.StartTraining(Version(0)).ok());
  std::vector<v1::GroupRecord> groups;
  for (int i = 0; i < 4; ++i) groups.push_back(MustLease(state, "w", 0, "l" + std::to_string(i)));
  for (int i = 3; i >= 0; --i) EXPECT_TRUE(state.Submit(Submit(groups[static_cast<size_t>(i)]))->accepted());
  for (int again = 0; again < 2; ++again) {
    const auto assigned = state.Assign(0);
    ASSERT_EQ(assigned->size(), 2u);
    EXPECT_EQ((*assigned)[0]->ordinal(), 0);
    EXPECT_EQ((*assigned)[1]->ordinal(), 1);
  }
  EXPECT_TRUE(absl::IsFailedPrecondition(state.Assign(1).status()));
}

TEST(RunState, CommitsOnceAndOnlyWhatWasAssigned) {
  RunState state(Rules());
  ASSERT_TRUE(state.StartTraining(Version(0)).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(state.Commit(Commit(0, {0, 1}), 0)));
  EXPECT_EQ(TakeStep(state), (std::vector<int64_t>{0, 1}));
  EXPECT_TRUE(state.Commit(Commit(0, {0, 1}), 0).ok());  // the answer got lost: it is asked again
  EXPECT_EQ(state.committed_steps(), 1);
  EXPECT_EQ(state.consumed(), 2);
  v1::CommitStepRequest other = Commit(0, {0, 1});
  other.mutable_new_version()->set_digest("another result");
  EXPECT_TRUE(absl::IsFailedPrecondition(state.Commit(other, 0)));
}

TEST(RunState, LostTrajectoriesArePlannedAgain) {
  RunState state(Rules());
  ASSERT_TRUE(state.StartTraining(Version(0)).ok());
  for (const char* lease : {"a", "b"}) state.Submit(Submit(MustLease(state, "w", 0, lease))).IgnoreError();
  ASSERT_EQ(state.Assign(0)->size(), 2u);
  state.Lose({1});
  EXPECT_TRUE(state.Assign(0)->empty());
  const v1::GroupRecord again = MustLease(state, "w", 0, "c");
  EXPECT_EQ(again.ordinal(), 1);
  EXPECT_TRUE(state.Submit(Submit(again))->accepted());
  EXPECT_EQ(state.Assign(0)->size(), 2u);
}

TEST(RunState, ALearnerThatComesBackFromACheckpointAbandonsLaterSteps) {
  RunState state(Rules());
  ASSERT_TRUE(state.StartTraining(Version(0)).ok());
  TakeStep(state);
  const std::vector<int64_t> second = TakeStep(state);
  const std::vector<int64_t> third = TakeStep(state);
  EXPECT_TRUE(absl::IsInvalidArgument(state.StartTraining(Version(4))));
  ASSERT_TRUE(state.StartTraining(Version(1)).ok());
  EXPECT_EQ(state.committed_steps(), 1);
  EXPECT_EQ(state.consumed(), 2);
  EXPECT_EQ(state.abandoned_from(), 1);
  // The same ordinals come again, in order, under other attempts: nothing old can be mistaken for them.
  EXPECT_EQ(TakeStep(state), second);
  EXPECT_EQ(TakeStep(state), third);
}

TEST(RunState, FinishesAfterItsSteps) {
  RunState state(Rules(1));
  ASSERT_TRUE(state.StartTraining(Version(0)).ok());
  for (int i = 0; i < 4; ++i) TakeStep(state);
  EXPECT_TRUE(state.finished());
  EXPECT_EQ(state.Lease("w", Version(4), "l", kNow).group, nullptr);
  EXPECT_EQ(state.next_ordinal(), 8);  // no group too many was planned
}

// Whatever happens in whatever order: every committed step has its full number of groups, no group is
// consumed twice, and no group is older than allowed.
TEST(RunState, KeepsItsPromisesUnderRandomEvents) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Random random(seed);
    RunRules rules = Rules(static_cast<int>(seed % 3));
    rules.total_steps = 6;
    RunState state(rules);
    ASSERT_TRUE(state.StartTraining(Version(0)).ok());
    std::vector<v1::GroupRecord> out;
    std::map<int64_t, int64_t> version_of;
    absl::Time now = kNow;
    for (int event = 0; event < 400 && !state.finished(); ++event) {
      switch (random.Below(8)) {
        case 0:
        case 1:
        case 2: {
          const auto decision = state.Lease("w" + std::to_string(random.Below(2)), state.current_version(),
                                            "l" + std::to_string(event), now);
          if (decision.group != nullptr) out.push_back(*decision.group);
          break;
        }
        case 3:
        case 4: {
          if (out.empty()) break;
          const size_t pick = static_cast<size_t>(random.Below(static_cast<int>(out.size())));
          state.Submit(Submit(out[pick], random.Chance(.3))).IgnoreError();
          if (random.Chance(.8)) out.erase(out.begin() + static_cast<long>(pick));
          break;
        }
        case 5: {
          const int64_t step = state.committed_steps();
          const auto assigned = state.Assign(step);
          ASSERT_TRUE(assigned.ok());
          if (assigned->empty()) break;
          ASSERT_EQ(assigned->size(), 2u);
          std::vector<int64_t> ordinals;
          for (const v1::GroupRecord* group : *assigned) {
            ordinals.push_back(group->ordinal());
            ASSERT_LE(step - group->version().version(), rules.max_staleness);
          }
          if (random.Chance(.2)) {
            state.Lose({ordinals[0]});
          } else {
            ASSERT_TRUE(state.Commit(Commit(step, ordinals), 0).ok());
          }
          break;
        }
        case 6:
          now += absl::Seconds(random.Below(8));
          state.ExpireLeases(now);
          break;
        default:
          if (random.Chance(.1)) {
            const int64_t step = random.Below(static_cast<int>(state.committed_steps()) + 1);
            ASSERT_TRUE(state.StartTraining(Version(step)).ok());
          }
          if (random.Chance(.2)) state.DropLeasesOf("w0", {});
      }
    }
    std::set<int64_t> consumed;
    for (const v1::StepRecord& step : state.steps()) {
      EXPECT_EQ(step.ordinals_size(), 2);
      for (const int64_t ordinal : step.ordinals())
        EXPECT_TRUE(consumed.insert(ordinal).second) << "seed " << seed;
    }
  }
}

}  // namespace
}  // namespace lvrpo
