#include "coordinator/state/run_state.h"

#include <limits>
#include <set>

#include "tests/coordinator/run_state_fixture.h"

namespace lvrpo {
namespace {

TEST(RunState, LeasesNothingBeforeALearnerStarted) {
  RunState state(Rules());
  EXPECT_EQ(Lease(state, "w", Version(0), kNow).group, nullptr);
  ASSERT_TRUE(state.StartTraining(Version(0), {}).ok());
  EXPECT_NE(Lease(state, "w", Version(0), kNow).group, nullptr);
}

TEST(RunState, LeasesOnlyForTheCurrentWeights) {
  TestRun run;
  RunState& state = run.state;
  EXPECT_EQ(Lease(state, "w", Version(1), kNow).group, nullptr);
  v1::PolicyVersion other = Version(0);
  other.set_digest("other");
  EXPECT_EQ(Lease(state, "w", other, kNow).group, nullptr);
}

TEST(RunState, NeverLeasesMoreThanStalenessAllows) {
  for (const int staleness : {0, 1}) {
    TestRun run{Rules(staleness)};
    RunState& state = run.state;
    for (int i = 0; i < 2 * (staleness + 1); ++i) MustLease(state, "w", 0);
    EXPECT_EQ(Lease(state, "w", Version(0), kNow).group, nullptr);
  }
}

TEST(RunState, ExpiredLeasesArePlannedAgainAndTheOldOneIsRefused) {
  TestRun run;
  RunState& state = run.state;
  const v1::GroupRecord old = MustLease(state, "w", 0);
  EXPECT_EQ(state.ExpireLeases(kNow + absl::Seconds(9)).count, 0);
  EXPECT_EQ(state.ExpireLeases(kNow + absl::Seconds(10)).count, 1);
  const v1::GroupRecord again = MustLease(state, "v", 0);
  EXPECT_EQ(again.ordinal(), old.ordinal());
  EXPECT_EQ(again.attempt(), old.attempt() + 1);
  EXPECT_TRUE(absl::IsFailedPrecondition(state.Submit(Submit(old)).status()));
  EXPECT_TRUE(state.Submit(Submit(again))->accepted());
}

TEST(RunState, RenewedLeasesLiveOnAndLostOnesAreNamed) {
  TestRun run;
  RunState& state = run.state;
  MustLease(state, "w", 0);
  EXPECT_TRUE(state.RenewLeases("w", {MakeLeaseId(0, 0)}, kNow + absl::Seconds(9)).empty());
  EXPECT_EQ(state.ExpireLeases(kNow + absl::Seconds(12)).count, 0);
  // Another's, another attempt, one that nobody has.
  EXPECT_EQ(state.RenewLeases("other", {MakeLeaseId(0, 0)}, kNow).size(), 1u);
  const std::vector<v1::LeaseId> lost = state.RenewLeases(
      "w", {MakeLeaseId(0, 0), MakeLeaseId(0, 1), MakeLeaseId(5, 0)}, kNow + absl::Seconds(9));
  ASSERT_EQ(lost.size(), 2u);
  EXPECT_EQ(Describe(lost[0]), "ordinal 0 attempt 1");
  EXPECT_EQ(Describe(lost[1]), "ordinal 5 attempt 0");
}

TEST(RunState, ARepeatedSubmitGetsTheFirstAnswer) {
  TestRun run;
  RunState& state = run.state;
  const v1::GroupRecord good = MustLease(state, "w", 0);
  EXPECT_TRUE(state.Submit(Submit(good))->accepted());
  const auto again = state.Submit(Submit(good));
  EXPECT_TRUE(again->accepted());
  EXPECT_TRUE(again->repeated_submit());
  const v1::GroupRecord flat = MustLease(state, "w", 0);
  EXPECT_EQ(state.Submit(Submit(flat, true))->retired_reason(), v1::RETIRE_ZERO_VARIANCE);
  EXPECT_EQ(state.Submit(Submit(flat, true))->retired_reason(), v1::RETIRE_ZERO_VARIANCE);
  EXPECT_EQ(state.retired_by_reason().at(v1::RETIRE_ZERO_VARIANCE), 1);
}

TEST(RunState, AZeroVarianceGroupIsReplacedByAnotherOrdinal) {
  TestRun run;
  RunState& state = run.state;
  const v1::GroupRecord flat = MustLease(state, "w", 0);
  state.Submit(Submit(flat, true)).IgnoreError();
  std::set<int64_t> ordinals;
  for (int i = 0; i < 2; ++i) ordinals.insert(MustLease(state, "w", 0).ordinal());
  EXPECT_EQ(ordinals, (std::set<int64_t>{1, 2}));
}

TEST(RunState, RefusesWrongSubmits) {
  TestRun run;
  RunState& state = run.state;
  const v1::GroupRecord group = MustLease(state, "w", 0);
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
    const v1::GroupRecord group = MustLease(state, "w", 0);
    EXPECT_EQ(group.ordinal(), 0);
    EXPECT_EQ(group.attempt(), i);
    v1::SubmitGroupRequest request = Submit(group);
    if (i == 0) request.set_log_probs_finite(false);
    if (i == 1) request.mutable_samples(0)->set_reward(std::numeric_limits<float>::quiet_NaN());
    if (i == 2) request.mutable_samples(0)->mutable_scores(0)->set_outcome(v1::ComponentScore::SCORER_FAILED);
    EXPECT_FALSE(state.Submit(request)->accepted());
  }
  EXPECT_EQ(state.retired_by_reason().at(v1::RETIRE_REWARD_FAILED), 1);
  EXPECT_EQ(MustLease(state, "w", 0).ordinal(), 1);
}

TEST(RunState, OutagesNeverCostAPrompt) {
  TestRun run;
  RunState& state = run.state;
  for (int i = 0; i < 20; ++i) {
    const v1::GroupRecord group = MustLease(state, "w", 0);
    EXPECT_EQ(group.ordinal(), 0);
    const v1::ReturnReason reasons[] = {v1::RETURN_REWARD_UNREACHABLE, v1::RETURN_LEARNER_UNREACHABLE,
                                        v1::RETURN_WORKER_FAILED, v1::RETURN_DRAIN};
    ASSERT_TRUE(state.Return(Return(group, reasons[i % 4])).ok());
  }
  EXPECT_TRUE(state.retired_by_reason().empty());
}

TEST(RunState, WhatAnotherAttemptCannotMendIsRetiredAtOnce) {
  TestRun run;
  RunState& state = run.state;
  v1::SubmitGroupRequest request = Submit(MustLease(state, "w", 0));
  request.mutable_samples(1)->mutable_scores(0)->set_outcome(v1::ComponentScore::INVALID_INPUT);
  EXPECT_EQ(state.Submit(request)->retired_reason(), v1::RETIRE_BAD_PROMPT);
  request = Submit(MustLease(state, "w", 0));
  request.mutable_samples(0)->clear_scores();
  EXPECT_EQ(state.Submit(request)->retired_reason(), v1::RETIRE_NO_REWARD);
  EXPECT_EQ(state.retired_by_reason().size(), 2u);
  request = Submit(MustLease(state, "w", 0));
  request.clear_lease();
  EXPECT_TRUE(absl::IsInvalidArgument(state.Submit(request).status()));
}

TEST(RunState, ReturnedLeases) {
  TestRun run;
  RunState& state = run.state;
  v1::GroupRecord group;
  group.set_member_id("w");
  EXPECT_TRUE(absl::IsFailedPrecondition(state.Return(Return(group, v1::RETURN_DRAIN))));  // none is leased
  group = MustLease(state, "w", 0);
  v1::GroupRecord other = group;
  other.set_member_id("v");
  EXPECT_TRUE(absl::IsFailedPrecondition(state.Return(Return(other, v1::RETURN_DRAIN))));  // another's
  EXPECT_TRUE(state.Return(Return(group, v1::RETURN_DRAIN)).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(state.Return(Return(group, v1::RETURN_DRAIN))));  // no longer
  group = MustLease(state, "w", 0);
  EXPECT_EQ(group.ordinal(), 0);
  EXPECT_TRUE(state.Return(Return(group, v1::RETURN_BAD_PROMPT)).ok());
  EXPECT_EQ(MustLease(state, "w", 0).ordinal(), 1);
}

TEST(RunState, ASubmitThatIsRepeatedWithOtherContentsIsNotTheSame) {
  TestRun run;
  RunState& state = run.state;
  const v1::GroupRecord good = MustLease(state, "w", 0), flat = MustLease(state, "w", 0);
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
  const v1::GroupRecord group = MustLease(run.state, "w", 0);
  for (const v1::ReturnReason none : {v1::RETURN_UNSPECIFIED, static_cast<v1::ReturnReason>(99)})
    EXPECT_TRUE(absl::IsInvalidArgument(run.state.Return(Return(group, none)))) << none;
  EXPECT_TRUE(run.state.retired_by_reason().empty());
  EXPECT_TRUE(run.state.Return(Return(group, v1::RETURN_BAD_PROMPT, "it has no words")).ok());
  EXPECT_EQ(run.state.retired_by_reason().at(v1::RETIRE_BAD_PROMPT), 1);
  EXPECT_EQ(run.state.changes().groups.at(0)->retired_detail(), "it has no words");
}

TEST(RunState, ALeaseEndsAtItsLimitHoweverOftenItIsRenewed) {
  TestRun run;
  RunState& state = run.state;
  const v1::GroupRecord held = MustLease(state, "stuck", 0);
  absl::Time now = kNow;
  for (int beat = 0; beat < 11; ++beat) {
    now += absl::Seconds(5);
    EXPECT_TRUE(state.RenewLeases("stuck", {MakeLeaseId(0, 0)}, now).empty());
    EXPECT_EQ(state.ExpireLeases(now).count, 0) << beat;
  }
  now = kNow + absl::Seconds(60);
  state.RenewLeases("stuck", {MakeLeaseId(0, 0)}, now);
  const RunState::EndedLeases ended = state.ExpireLeases(now);
  EXPECT_EQ(ended.count, 1);
  ASSERT_EQ(ended.at_limit.size(), 1u);
  EXPECT_EQ(ended.at_limit[0].lease.ordinal(), 0);
  EXPECT_EQ(ended.at_limit[0].member, "stuck");
  EXPECT_EQ(state.RenewLeases("stuck", {MakeLeaseId(0, 0)}, now).size(), 1u);
  // Others go first; the late one waits, longer each time.
  EXPECT_EQ(Lease(state, "stuck", Version(0), now).group, nullptr);
  EXPECT_EQ(MustLease(state, "other", 0, now).ordinal(), 0);
  EXPECT_EQ(Lease(state, "stuck", Version(0), now + absl::Seconds(9)).group, nullptr);
  now += absl::Seconds(10);
  MustLease(state, "stuck", 0, now);
  now += absl::Seconds(60);
  state.ExpireLeases(now);
  EXPECT_EQ(Lease(state, "stuck", Version(0), now + absl::Seconds(19)).group, nullptr);
  const v1::GroupRecord delivered = MustLease(state, "stuck", 0, now + absl::Seconds(20));
  EXPECT_TRUE(state.Submit(Submit(delivered))->accepted());
  EXPECT_TRUE(absl::IsFailedPrecondition(state.Submit(Submit(held)).status()));
  // Delivering clears the penalty: the next pause is as short as the first one.
  now += absl::Seconds(20);
  MustLease(state, "stuck", 0, now);
  now += absl::Seconds(60);
  state.ExpireLeases(now);
  EXPECT_EQ(Lease(state, "stuck", Version(0), now + absl::Seconds(9)).group, nullptr);
  MustLease(state, "stuck", 0, now + absl::Seconds(10));
}

TEST(RunState, SaysSinceWhenAGroupIsHeldHoweverOftenItsLeaseIsRenewed) {
  TestRun run;
  MustLease(run.state, "w", 0);
  run.state.RenewLeases("w", {MakeLeaseId(0, 0)}, kNow + absl::Seconds(5));
  EXPECT_EQ(run.state.Facts().held_ordinal, 0);
  EXPECT_EQ(run.state.Facts().held_since, kNow);
}

// The answer to its newest lease was lost: what it names is an attempt of long ago.
TEST(RunState, AMemberThatNamesAnOlderAttemptDoesNotHoldTheNewOne) {
  TestRun run;
  RunState& state = run.state;
  MustLease(state, "w", 0);
  const absl::Time later = kNow + absl::Seconds(10);
  state.ExpireLeases(later);
  ASSERT_EQ(MustLease(state, "w", 0, later).attempt(), 1);
  state.DropLeasesOf("w", {MakeLeaseId(0, 0)});
  EXPECT_EQ(state.Count(v1::LEASED), 0);
  EXPECT_EQ(MustLease(state, "v", 0, later).attempt(), 2);
}

TEST(RunState, ALeaseThatIsNotRenewedIsNoReasonToWait) {
  TestRun run;
  MustLease(run.state, "w", 0);
  EXPECT_TRUE(run.state.ExpireLeases(kNow + absl::Seconds(10)).at_limit.empty());
  MustLease(run.state, "w", 0, kNow + absl::Seconds(10));
}

TEST(RunState, CountsGroupsInARowThatNothingCanScore) {
  TestRun run;
  RunState& state = run.state;
  const auto give_back = [&](const std::string& member, v1::ReturnReason reason, const std::string& detail) {
    return state.Return(Return(MustLease(state, member, 0), reason, detail));
  };
  for (const char* member : {"w", "v", "w"})
    ASSERT_TRUE(give_back(member, v1::RETURN_UNSCORABLE, "knowledge answers 401").ok());
  EXPECT_EQ(state.unscorable_in_a_row(), 3);
  EXPECT_EQ(state.unscorable_detail(), "knowledge answers 401");
  EXPECT_TRUE(state.retired_by_reason().empty());  // it is not the prompt's fault
  ASSERT_TRUE(give_back("w", v1::RETURN_REWARD_UNREACHABLE, "").ok());
  EXPECT_EQ(state.unscorable_in_a_row(), 3);  // says nothing about it
  ASSERT_TRUE(state.Submit(Submit(MustLease(state, "w", 0)))->accepted());
  EXPECT_EQ(state.unscorable_in_a_row(), 0);
  ASSERT_TRUE(give_back("w", v1::RETURN_BAD_PROMPT, "this prompt's image is broken").ok());
  EXPECT_EQ(state.unscorable_in_a_row(), 0);  // the data's fault costs the data
}

// Each change is told once, whole, and none is told twice.
TEST(RunState, TellsWhatChanged) {
  RunState state(Rules());
  EXPECT_TRUE(state.changes().empty());
  ASSERT_TRUE(state.StartTraining(Version(0), {}).ok());
  EXPECT_EQ(state.TakeChanges().base_digest, Version(0).digest());
  EXPECT_TRUE(state.changes().empty());
  const v1::GroupRecord group = MustLease(state, "w", 0);
  Changes changes = state.TakeChanges();
  EXPECT_EQ(changes.groups.at(0)->state(), v1::LEASED);
  EXPECT_EQ(changes.plan->next_ordinal, 1);
  ASSERT_TRUE(state.Submit(Submit(group))->accepted());
  changes = state.TakeChanges();
  EXPECT_EQ(changes.groups.at(0)->state(), v1::COMPLETE);
  EXPECT_FALSE(changes.plan.has_value());
  ASSERT_TRUE(state.Submit(Submit(group))->repeated_submit());
  EXPECT_TRUE(state.changes().empty());
}

}  // namespace
}  // namespace lvrpo
