#include "coordinator/state/run_state.h"

#include <limits>
#include <set>

#include "tests/coordinator/run_state_fixture.h"

namespace lvrpo {
namespace {

TEST(RunState, LeasesNothingBeforeALearnerStarted) {
  RunState state(Rules());
  EXPECT_EQ(state.Lease("w", 1, Version(0), "l", kNow).group, nullptr);
  ASSERT_TRUE(state.StartTraining(Version(0), {}).ok());
  EXPECT_NE(state.Lease("w", 1, Version(0), "l", kNow).group, nullptr);
}

TEST(RunState, LeasesOnlyForTheCurrentWeights) {
  TestRun run;
  RunState& state = run.state;
  EXPECT_EQ(state.Lease("w", 1, Version(1), "l", kNow).group, nullptr);
  v1::PolicyVersion other = Version(0);
  other.set_digest("other");
  EXPECT_EQ(state.Lease("w", 1, other, "l", kNow).group, nullptr);
}

TEST(RunState, NeverLeasesMoreThanStalenessAllows) {
  for (const int staleness : {0, 1}) {
    TestRun run{Rules(staleness)};
    RunState& state = run.state;
    for (int i = 0; i < 2 * (staleness + 1); ++i) MustLease(state, "w", 0, "l" + std::to_string(i));
    EXPECT_EQ(state.Lease("w", 1, Version(0), "more", kNow).group, nullptr);
  }
}

TEST(RunState, ExpiredLeasesArePlannedAgainAndTheOldOneIsRefused) {
  TestRun run;
  RunState& state = run.state;
  const v1::GroupRecord old = MustLease(state, "w", 0, "old");
  EXPECT_EQ(state.ExpireLeases(kNow + absl::Seconds(9)).count, 0);
  EXPECT_EQ(state.ExpireLeases(kNow + absl::Seconds(10)).count, 1);
  const v1::GroupRecord again = MustLease(state, "v", 0, "new");
  EXPECT_EQ(again.ordinal(), old.ordinal());
  EXPECT_EQ(again.attempt(), old.attempt() + 1);
  EXPECT_TRUE(absl::IsFailedPrecondition(state.Submit(Submit(old)).status()));
  EXPECT_TRUE(state.Submit(Submit(again))->accepted());
}

TEST(RunState, RenewedLeasesLiveOnAndLostOnesAreNamed) {
  TestRun run;
  RunState& state = run.state;
  MustLease(state, "w", 0, "l");
  EXPECT_TRUE(state.RenewLeases("w", {0}, kNow + absl::Seconds(9)).empty());
  EXPECT_EQ(state.ExpireLeases(kNow + absl::Seconds(12)).count, 0);
  EXPECT_EQ(state.RenewLeases("other", {0, 5}, kNow), (std::vector<int64_t>{0, 5}));
}

TEST(RunState, ARepeatedSubmitGetsTheFirstAnswer) {
  TestRun run;
  RunState& state = run.state;
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
  TestRun run;
  RunState& state = run.state;
  const v1::GroupRecord flat = MustLease(state, "w", 0, "a");
  state.Submit(Submit(flat, true)).IgnoreError();
  std::set<int64_t> ordinals;
  for (const char* lease : {"b", "c"}) ordinals.insert(MustLease(state, "w", 0, lease).ordinal());
  EXPECT_EQ(ordinals, (std::set<int64_t>{1, 2}));
}

TEST(RunState, RefusesWrongSubmits) {
  TestRun run;
  RunState& state = run.state;
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
  TestRun run;
  RunState& state = run.state;
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
  TestRun run;
  RunState& state = run.state;
  for (int i = 0; i < 20; ++i) {
    const v1::GroupRecord group = MustLease(state, "w", 0, "l" + std::to_string(i));
    EXPECT_EQ(group.ordinal(), 0);
    v1::ReturnLeaseRequest request;
    request.set_lease_id(group.lease_id());
    const char* const reasons[] = {"reward_unreachable", "learner_unreachable", "worker_failed", "drain"};
    request.set_reason(reasons[i % 4]);
    ASSERT_TRUE(state.Return(request).ok());
  }
  EXPECT_TRUE(state.retired_by_reason().empty());
}

TEST(RunState, WhatAnotherAttemptCannotMendIsRetiredAtOnce) {
  TestRun run;
  RunState& state = run.state;
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

TEST(RunState, ReturnedLeases) {
  TestRun run;
  RunState& state = run.state;
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

TEST(RunState, ASubmitThatIsRepeatedWithOtherContentsIsNotTheSame) {
  TestRun run;
  RunState& state = run.state;
  const v1::GroupRecord good = MustLease(state, "w", 0, "a"), flat = MustLease(state, "w", 0, "b");
  ASSERT_TRUE(state.Submit(Submit(good))->accepted());
  ASSERT_FALSE(state.Submit(Submit(flat, true))->accepted());
  v1::SubmitGroupRequest digest = Submit(good), reward = Submit(good), score = Submit(good),
                         fewer = Submit(good);
  digest.set_trajectory_digest("other bytes");
  reward.mutable_samples(0)->set_reward(9);
  score.mutable_samples(1)->mutable_scores(0)->set_score(.5f);
  fewer.mutable_samples()->RemoveLast();
  for (const v1::SubmitGroupRequest& changed : {digest, reward, score, fewer, Submit(flat)})
    EXPECT_TRUE(absl::IsAlreadyExists(state.Submit(changed).status())) << changed.ShortDebugString();
  EXPECT_TRUE(state.Submit(Submit(good))->accepted());
}

TEST(RunState, WhoReturnsALeaseSaysWhy) {
  TestRun run;
  const v1::GroupRecord group = MustLease(run.state, "w", 0, "a");
  for (const char* reason : {"", ": no class"})
    EXPECT_TRUE(absl::IsInvalidArgument(run.state.Return(Return(group, reason, true)))) << reason;
  EXPECT_TRUE(run.state.retired_by_reason().empty());
  EXPECT_TRUE(run.state.Return(Return(group, "bad_prompt: it has no words", true)).ok());
  EXPECT_EQ(run.state.retired_by_reason().at("bad_prompt"), 1);
}

TEST(RunState, ReasonsAreCountedApartUpToABound) {
  TestRun run;
  for (int i = 0; i < 100; ++i) {
    const v1::GroupRecord group = MustLease(run.state, "w", 0, "l" + std::to_string(i));
    ASSERT_TRUE(run.state.Return(Return(group, "reason-" + std::to_string(i), true)).ok());
  }
  EXPECT_LE(run.state.retired_by_reason().size(), 65u);
  EXPECT_EQ(run.state.retired_by_reason().at("other"), 36);
}

TEST(RunState, ALeaseEndsAtItsLimitHoweverOftenItIsRenewed) {
  TestRun run;
  RunState& state = run.state;
  const v1::GroupRecord held = MustLease(state, "stuck", 0, "a");
  absl::Time now = kNow;
  for (int beat = 0; beat < 11; ++beat) {
    now += absl::Seconds(5);
    EXPECT_TRUE(state.RenewLeases("stuck", {0}, now).empty());
    EXPECT_EQ(state.ExpireLeases(now).count, 0) << beat;
  }
  now = kNow + absl::Seconds(60);
  state.RenewLeases("stuck", {0}, now);
  const RunState::EndedLeases ended = state.ExpireLeases(now);
  EXPECT_EQ(ended.count, 1);
  ASSERT_EQ(ended.at_limit.size(), 1u);
  EXPECT_EQ(ended.at_limit[0], "ordinal 0 at stuck");
  EXPECT_EQ(state.RenewLeases("stuck", {0}, now), (std::vector<int64_t>{0}));
  // Others go first; the late one waits, longer each time.
  EXPECT_EQ(state.Lease("stuck", 1, Version(0), "b", now).group, nullptr);
  EXPECT_EQ(MustLease(state, "other", 0, "c", now).ordinal(), 0);
  EXPECT_EQ(state.Lease("stuck", 1, Version(0), "d", now + absl::Seconds(9)).group, nullptr);
  now += absl::Seconds(10);
  MustLease(state, "stuck", 0, "e", now);
  now += absl::Seconds(60);
  state.ExpireLeases(now);
  EXPECT_EQ(state.Lease("stuck", 1, Version(0), "f", now + absl::Seconds(19)).group, nullptr);
  const v1::GroupRecord delivered = MustLease(state, "stuck", 0, "g", now + absl::Seconds(20));
  // Delivering clears the penalty.
  EXPECT_TRUE(state.Submit(Submit(delivered))->accepted());
  EXPECT_TRUE(absl::IsFailedPrecondition(state.Submit(Submit(held)).status()));
}

TEST(RunState, ALeaseThatIsNotRenewedIsNoReasonToWait) {
  TestRun run;
  MustLease(run.state, "w", 0, "a");
  EXPECT_TRUE(run.state.ExpireLeases(kNow + absl::Seconds(10)).at_limit.empty());
  MustLease(run.state, "w", 0, "b", kNow + absl::Seconds(10));
}

TEST(RunState, CountsGroupsInARowThatNothingCanScore) {
  TestRun run;
  RunState& state = run.state;
  const auto give_back = [&](const std::string& member, const std::string& reason, bool data) {
    return state.Return(Return(MustLease(state, member, 0, "l" + std::to_string(random())), reason, data));
  };
  for (const char* member : {"w", "v", "w"}) {
    ASSERT_TRUE(give_back(member, "unscorable: knowledge answers 401", false).ok());
  }
  EXPECT_EQ(state.unscorable_in_a_row(), 3);
  EXPECT_EQ(state.unscorable_reason(), "unscorable: knowledge answers 401");
  EXPECT_TRUE(state.retired_by_reason().empty());  // it is not the prompt's fault
  ASSERT_TRUE(give_back("w", "reward_unreachable", false).ok());
  EXPECT_EQ(state.unscorable_in_a_row(), 3);  // says nothing about it
  ASSERT_TRUE(state.Submit(Submit(MustLease(state, "w", 0, "good")))->accepted());
  EXPECT_EQ(state.unscorable_in_a_row(), 0);
  ASSERT_TRUE(give_back("w", "unscorable: this prompt's image is broken", true).ok());
  EXPECT_EQ(state.unscorable_in_a_row(), 0);  // the data's fault costs the data
}

}  // namespace
}  // namespace lvrpo
