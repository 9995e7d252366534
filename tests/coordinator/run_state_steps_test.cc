#include <map>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/random.h"
#include "coordinator/state/digests.h"
#include "tests/coordinator/run_state_fixture.h"

namespace lvrpo {
namespace {

TEST(RunState, WeightsThatTheRecordsDoNotNameCannotGoOn) {
  TestRun run;
  run.TakeStep();
  v1::PolicyVersion negative = Version(0), other = Version(1), none = Version(1), base = Version(0);
  negative.set_number(-1);
  other.set_digest("other");
  none.clear_digest();
  base.set_digest("another base");
  for (const v1::PolicyVersion& wrong : {negative, other, none, base})
    EXPECT_TRUE(absl::IsInvalidArgument(run.Start(wrong))) << wrong.ShortDebugString();
  EXPECT_TRUE(absl::IsAborted(run.Start(Version(2))));  // a learner with a newer history starts again
  EXPECT_TRUE(run.Start(Version(1)).ok());
}

TEST(RunState, AStepTakesTheLowestGroupsAndIsTheSameWhenAskedAgain) {
  TestRun run(Rules(1));
  RunState& state = run.state;
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
  TestRun run;
  RunState& state = run.state;
  EXPECT_TRUE(absl::IsFailedPrecondition(state.Commit(Commit(0, {0, 1}), 0)));
  EXPECT_EQ(run.TakeStep(), (std::vector<int64_t>{0, 1}));
  EXPECT_TRUE(state.Commit(Commit(0, {0, 1}), 0).ok());  // the answer got lost: it is asked again
  EXPECT_EQ(state.committed_steps(), 1);
  EXPECT_EQ(state.consumed(), 2);
  v1::CommitStepRequest other = Commit(0, {0, 1});
  other.mutable_new_version()->set_digest("another result");
  EXPECT_TRUE(absl::IsFailedPrecondition(state.Commit(other, 0)));
}

TEST(RunState, LostTrajectoriesArePlannedAgain) {
  TestRun run;
  RunState& state = run.state;
  for (const char* lease : {"a", "b"}) state.Submit(Submit(MustLease(state, "w", 0, lease))).IgnoreError();
  ASSERT_EQ(state.Assign(0)->size(), 2u);
  state.Lose({1}, "trajectory_lost");
  EXPECT_TRUE(state.Assign(0)->empty());
  const v1::GroupRecord again = MustLease(state, "w", 0, "c");
  EXPECT_EQ(again.ordinal(), 1);
  EXPECT_TRUE(state.Submit(Submit(again))->accepted());
  EXPECT_EQ(state.Assign(0)->size(), 2u);
}

TEST(RunState, AGroupThatIsLostTooOftenIsRetiredForTheLearnersReason) {
  TestRun run;
  RunState& state = run.state;
  state.Submit(Submit(MustLease(state, "w", 0, "a"))).IgnoreError();  // ordinal 0
  for (int attempt = 0; state.retired_by_reason().empty() && attempt < 20; ++attempt) {
    const v1::GroupRecord group = MustLease(state, "w", 0, absl::StrCat("b", attempt));
    ASSERT_EQ(group.ordinal(), 1);
    ASSERT_TRUE(state.Submit(Submit(group))->accepted());
    state.Lose({1}, "untrainable");
  }
  EXPECT_EQ(state.retired_by_reason(), (std::map<std::string, int64_t>{{"untrainable", 1}}));
}

TEST(RunState, ALearnerThatComesBackFromACheckpointAbandonsLaterSteps) {
  TestRun run;
  RunState& state = run.state;
  run.TakeStep();
  ASSERT_TRUE(run.Checkpoint().ok());
  const std::vector<int64_t> second = run.TakeStep();
  const std::vector<int64_t> third = run.TakeStep();
  ASSERT_TRUE(run.Start(Version(1)).ok());
  EXPECT_EQ(state.committed_steps(), 1);
  EXPECT_EQ(state.consumed(), 2);
  EXPECT_EQ(state.abandoned_from(), 1);
  // The same ordinals are planned again, in order, with other attempts: old groups cannot be mistaken for
  // them.
  EXPECT_EQ(run.TakeStep(), second);
  EXPECT_EQ(run.TakeStep(), third);
}

TEST(RunState, GoesBackToRecordedCheckpointsOnly) {
  TestRun run;
  run.TakeStep();
  ASSERT_TRUE(run.Checkpoint().ok());  // of 1 step
  run.TakeStep();
  run.TakeStep();
  ASSERT_TRUE(run.Checkpoint().ok());  // of 3 steps
  const RunState before = run.state;
  struct {
    const char* what;
    v1::PolicyVersion version;
    bool may;
  } cases[] = {{"the base, although checkpoints are recorded", Version(0), false},
               {"a step without a checkpoint", Version(2), false},
               {"a checkpoint", Version(1), true},
               {"the newest one", Version(3), true}};
  for (const auto& c : cases) {
    TestRun copy = run;
    EXPECT_EQ(copy.Start(c.version).ok(), c.may) << c.what;
    EXPECT_EQ(copy.state.committed_steps(), c.may ? c.version.number() : 3) << c.what;
    EXPECT_EQ(copy.state.newest_checkpoint(), c.may ? c.version.number() : 3) << c.what;
  }
  v1::PolicyVersion other = Version(1);
  other.set_digest("other weights");
  EXPECT_TRUE(absl::IsInvalidArgument(run.Start(other)));
  EXPECT_EQ(run.state.committed_steps(), before.committed_steps());
}

TEST(RunState, GoesBackToTheBaseWhileNothingIsSaved) {
  TestRun run;
  const std::vector<int64_t> first = run.TakeStep();
  run.TakeStep();
  ASSERT_TRUE(run.Start(Version(0)).ok());
  EXPECT_EQ(run.state.committed_steps(), 0);
  EXPECT_EQ(run.TakeStep(), first);
}

TEST(RunState, ACheckpointIsOfTheNewestStep) {
  TestRun run;
  run.TakeStep();
  v1::CheckpointRecord record;
  record.set_step(2);
  EXPECT_TRUE(absl::IsAborted(run.state.RecordCheckpoint(&record)));
  record.set_step(0);
  EXPECT_TRUE(absl::IsInvalidArgument(run.state.RecordCheckpoint(&record)));
  record.set_step(1);
  ASSERT_TRUE(run.state.RecordCheckpoint(&record).ok());
  EXPECT_EQ(record.version().digest(), Version(1).digest());
}

TEST(RunState, EachStepNamesTheRecordsBeforeIt) {
  TestRun run;
  run.state.RestoreChain("what the run is");
  for (int i = 0; i < 3; ++i) run.TakeStep();
  EXPECT_EQ(run.steps[0].previous_digest(), "what the run is");
  EXPECT_EQ(run.steps[1].previous_digest(), RecordDigest(run.steps[0].SerializeAsString()));
  EXPECT_EQ(run.steps[2].previous_digest(), RecordDigest(run.steps[1].SerializeAsString()));
  std::vector<std::string> groups;
  for (const int64_t ordinal : run.steps[2].ordinals())
    groups.push_back(run.state.dirty().at(ordinal)->SerializeAsString());
  EXPECT_EQ(run.steps[2].groups_digest(), GroupsDigest(groups));
  // What comes after steps that were abandoned follows the last one that was kept.
  ASSERT_TRUE(run.Start(Version(0)).ok());
  run.TakeStep();
  EXPECT_EQ(run.steps[0].previous_digest(), "what the run is");
}

TEST(RunState, ACopyThatIsChangedLeavesTheOriginalAlone) {
  TestRun run;
  const v1::GroupRecord group = MustLease(run.state, "w", 0, "a");
  RunState copy = run.state;
  ASSERT_TRUE(copy.Submit(Submit(group))->accepted());
  MustLease(copy, "w", 0, "b");
  EXPECT_EQ(run.state.Count(v1::COMPLETE), 0);
  EXPECT_EQ(run.state.Count(v1::LEASED), 1);
  EXPECT_EQ(run.state.next_ordinal(), 1);
  EXPECT_TRUE(run.state.Submit(Submit(group))->accepted());
}

TEST(RunState, FinishesAfterItsSteps) {
  TestRun run(Rules(1));
  RunState& state = run.state;
  for (int i = 0; i < 4; ++i) run.TakeStep();
  EXPECT_TRUE(state.finished());
  EXPECT_EQ(state.Lease("w", 1, Version(4), "l", kNow).group, nullptr);
  EXPECT_EQ(state.next_ordinal(), 8);  // no group too many was planned
}

// Whatever happens in whatever order: every committed step has its full number of groups, no group is
// consumed twice, and no group is older than allowed.
TEST(RunState, KeepsItsPromisesUnderRandomEvents) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Random random(seed);
    RunRules rules = Rules(static_cast<int>(seed % 3));
    rules.total_steps = 6;
    TestRun run(rules);
    RunState& state = run.state;
    std::vector<v1::GroupRecord> out;
    absl::Time now = kNow;
    for (int event = 0; event < 400 && !state.finished(); ++event) {
      switch (random.Below(8)) {
        case 0:
        case 1:
        case 2: {
          const auto decision = state.Lease("w" + std::to_string(random.Below(2)), 1, state.current_version(),
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
            ASSERT_LE(step - group->version().number(), rules.max_staleness);
          }
          if (random.Chance(.2)) {
            state.Lose({ordinals[0]}, "trajectory_lost");
          } else {
            ASSERT_TRUE(run.CommitStep(Commit(step, ordinals)).ok());
            if (random.Chance(.5)) {
              ASSERT_TRUE(run.Checkpoint().ok());
            }
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
            run.Start(Version(step)).IgnoreError();  // a step without a checkpoint changes nothing
          }
          if (random.Chance(.2)) state.DropLeasesOf("w0", {});
      }
    }
    std::set<int64_t> consumed;
    ASSERT_EQ(state.committed_steps(), static_cast<int64_t>(run.steps.size()));
    for (const v1::StepRecord& step : run.steps) {
      EXPECT_EQ(step.ordinals_size(), 2);
      for (const int64_t ordinal : step.ordinals())
        EXPECT_TRUE(consumed.insert(ordinal).second) << "seed " << seed;
    }
  }
}

}  // namespace
}  // namespace lvrpo
