// Which rank of the learner gets which group.

#include <map>
#include <set>

#include "tests/coordinator/run_state_fixture.h"

namespace lvrpo {
namespace {

std::map<int64_t, int> Ranks(const RunState& state) {
  std::map<int64_t, int> ranks;
  for (const auto& [ordinal, group] : state.open_groups()) ranks[ordinal] = group->rank();
  return ranks;
}

RunRules FourGroups(int staleness = 0) {
  RunRules rules = Rules(staleness);
  rules.groups_per_step = 4;
  return rules;
}

RunState Started(int ranks, const RunRules& rules = FourGroups()) {
  RunState state(rules);
  EXPECT_TRUE(state.StartTraining(Version(0), {}, ranks).ok());
  return state;
}

using Placed = std::map<int64_t, int>;

TEST(RunStateRanks, OneRankHasAllGroups) {
  RunState state = Started(1);
  for (int i = 0; i < 4; ++i) MustLease(state, "w", 0);
  EXPECT_EQ(Ranks(state), (Placed{{0, 0}, {1, 0}, {2, 0}, {3, 0}}));
}

TEST(RunStateRanks, ANewGroupIsForTheRankWithTheFewest) {
  RunState state = Started(3);
  for (int i = 0; i < 4; ++i) MustLease(state, "w", 0);
  EXPECT_EQ(Ranks(state), (Placed{{0, 0}, {1, 1}, {2, 2}, {3, 0}}));
}

TEST(RunStateRanks, ARetiredGroupsPlaceIsTakenByTheNext) {
  RunState state = Started(2);
  MustLease(state, "w", 0);
  const v1::GroupRecord second = MustLease(state, "w", 0);
  MustLease(state, "w", 0);
  EXPECT_EQ(state.Submit(Submit(second, /*equal=*/true))->retired_reason(), v1::RETIRE_ZERO_VARIANCE);
  MustLease(state, "w", 0);
  EXPECT_EQ(Ranks(state), (Placed{{0, 0}, {2, 0}, {3, 1}}));
}

TEST(RunStateRanks, TheNextAttemptIsForTheSameRank) {
  RunState state = Started(2);
  MustLease(state, "w", 0);
  const v1::GroupRecord second = MustLease(state, "w", 0);
  ASSERT_TRUE(state.Return(Return(second, v1::RETURN_DRAIN)).ok());
  MustLease(state, "w", 0);
  EXPECT_EQ(state.ExpireLeases(kNow + absl::Seconds(20)).count, 2);
  EXPECT_EQ(Ranks(state), (Placed{{0, 0}, {1, 1}}));
}

TEST(RunStateRanks, GroupsOfRanksThatAreNoMoreArePlannedAgain) {
  RunState state = Started(2);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(state.Submit(Submit(MustLease(state, "w", 0))).ok());
  const v1::GroupRecord out = MustLease(state, "w", 0);  // ordinal 3, of rank 1
  ASSERT_TRUE(state.StartTraining(Version(0), {}, 1).ok());
  EXPECT_EQ(Ranks(state), (Placed{{0, 0}, {1, 0}, {2, 0}, {3, 0}}));
  std::map<int64_t, v1::GroupState> states;
  for (const auto& [ordinal, group] : state.open_groups()) states[ordinal] = group->state();
  EXPECT_EQ(states, (std::map<int64_t, v1::GroupState>{
                        {0, v1::COMPLETE}, {1, v1::PLANNED}, {2, v1::COMPLETE}, {3, v1::PLANNED}}));
  EXPECT_TRUE(absl::IsFailedPrecondition(state.Submit(Submit(out)).status()));
}

TEST(RunStateRanks, AnAssignedStepThatLosesGroupsIsAssignedAnew) {
  RunState state = Started(2);
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(state.Submit(Submit(MustLease(state, "w", 0))).ok());
  ASSERT_EQ(state.Assign(0)->size(), 4u);
  ASSERT_TRUE(state.StartTraining(Version(0), {}, 1).ok());
  EXPECT_TRUE(state.Assign(0)->empty());
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(state.Submit(Submit(MustLease(state, "w", 0))).ok());
  EXPECT_EQ(state.Assign(0)->size(), 4u);
  EXPECT_TRUE(state.Commit(Commit(0, {0, 1, 2, 3}), 0).ok());
}

TEST(RunStateRanks, WithMoreRanksOnlyNewAndPlannedGroupsMove) {
  RunState state = Started(1, FourGroups(/*staleness=*/1));
  ASSERT_TRUE(state.Submit(Submit(MustLease(state, "w", 0))).ok());
  const v1::GroupRecord back = MustLease(state, "w", 0);
  MustLease(state, "w", 0);
  ASSERT_TRUE(state.Return(Return(back, v1::RETURN_DRAIN)).ok());
  state.TakeChanges();
  ASSERT_TRUE(state.StartTraining(Version(0), {}, 3).ok());
  EXPECT_EQ(Ranks(state), (Placed{{0, 0}, {1, 1}, {2, 0}}));
  EXPECT_EQ(state.changes().groups.size(), 1u);
  for (int i = 0; i < 3; ++i) MustLease(state, "w", 0);
  EXPECT_EQ(Ranks(state), (Placed{{0, 0}, {1, 1}, {2, 0}, {3, 2}, {4, 1}}));
}

TEST(RunStateRanks, NothingChangesWithoutAChange) {
  RunState state = Started(2);
  for (int i = 0; i < 3; ++i) MustLease(state, "w", 0);
  state.TakeChanges();
  ASSERT_TRUE(state.StartTraining(Version(0), {}, 2).ok());
  EXPECT_TRUE(state.changes().groups.empty());
}

// The coordinator restarts in the middle of a step: its ranks are those that commit.
TEST(RunStateRanks, ACommitAfterARestartKeepsTheRanks) {
  RunState before = Started(2);
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(before.Submit(Submit(MustLease(before, "w", 0))).ok());
  ASSERT_EQ(before.Assign(0)->size(), 4u);
  RunState state(FourGroups());
  for (const auto& [ordinal, group] : before.open_groups()) state.RestoreGroup(*group, kNow);
  state.RestorePlan(before.plan());
  ASSERT_TRUE(state.Commit(Commit(0, {0, 1, 2, 3}), 0, /*ranks=*/2).ok());
  EXPECT_EQ(state.last_step()->ranks(), 2);
  for (int i = 0; i < 2; ++i) MustLease(state, "w", 1);
  EXPECT_EQ(Ranks(state), (Placed{{4, 0}, {5, 1}}));
}

TEST(RunStateRanks, AbandonedStepsArePlacedAnew) {
  RunState state = Started(2);
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(state.Submit(Submit(MustLease(state, "w", 0))).ok());
  ASSERT_TRUE(state.Assign(0).ok());
  ASSERT_TRUE(state.Commit(Commit(0, {0, 1, 2, 3}), 0, 2).ok());
  MustLease(state, "w", 1);
  const std::vector<v1::StepRecord> steps = {*state.last_step()};
  ASSERT_TRUE(state.StartTraining(Version(0), steps, 3).ok());
  for (int i = 0; i < 4; ++i) MustLease(state, "w", 0);
  EXPECT_EQ(Ranks(state), (Placed{{0, 0}, {1, 1}, {2, 2}, {3, 0}}));
}

}  // namespace
}  // namespace lvrpo
