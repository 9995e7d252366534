#include <algorithm>
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
  for (int i = 0; i < 4; ++i) groups.push_back(MustLease(state, "w", 0));
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
  for (int i = 0; i < 2; ++i) state.Submit(Submit(MustLease(state, "w", 0))).IgnoreError();
  ASSERT_EQ(state.Assign(0)->size(), 2u);
  Lose(state, 1, v1::RETIRE_TRAJECTORY_LOST);
  EXPECT_TRUE(state.Assign(0)->empty());
  const v1::GroupRecord again = MustLease(state, "w", 0);
  EXPECT_EQ(again.ordinal(), 1);
  EXPECT_TRUE(state.Submit(Submit(again))->accepted());
  EXPECT_EQ(state.Assign(0)->size(), 2u);
}

// A group that was assigned to a step which lost another one belongs to no step until it is assigned again.
TEST(RunState, GroupsOfAStepThatLostOneAreOnlyComplete) {
  TestRun run;
  RunState& state = run.state;
  run.TakeStep();
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(state.Submit(Submit(MustLease(state, "w", 1)))->accepted());
  const auto assigned = state.Assign(1);
  ASSERT_EQ(assigned->size(), 2u);
  EXPECT_EQ(assigned->front()->step(), 1);
  const int64_t kept = assigned->front()->ordinal();
  Lose(state, assigned->back()->ordinal(), v1::RETIRE_TRAJECTORY_LOST);
  EXPECT_EQ(state.open_groups().at(kept)->state(), v1::COMPLETE);
  EXPECT_EQ(state.open_groups().at(kept)->step(), 0);
}

TEST(RunState, AStepBeginsTheCountOfRetiredGroupsAnew) {
  TestRun run;
  RunState& state = run.state;
  for (int i = 0; i < 3; ++i)
    ASSERT_TRUE(state.Return(Return(MustLease(state, "w", 0), v1::RETURN_BAD_PROMPT)).ok());
  EXPECT_EQ(state.Facts().retired_in_a_row, 3);
  run.TakeStep();
  EXPECT_EQ(state.Facts().retired_in_a_row, 0);
}

TEST(RunState, AGroupThatIsLostTooOftenIsRetiredForTheLearnersReason) {
  TestRun run;
  RunState& state = run.state;
  state.Submit(Submit(MustLease(state, "w", 0))).IgnoreError();  // ordinal 0
  for (int attempt = 0; state.retired_by_reason().empty() && attempt < 20; ++attempt) {
    const v1::GroupRecord group = MustLease(state, "w", 0);
    ASSERT_EQ(group.ordinal(), 1);
    ASSERT_TRUE(state.Submit(Submit(group))->accepted());
    Lose(state, 1, v1::RETIRE_UNTRAINABLE);
  }
  EXPECT_EQ(state.retired_by_reason(), (std::map<v1::RetireReason, int64_t>{{v1::RETIRE_UNTRAINABLE, 1}}));
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
  EXPECT_EQ(state.changes().abandoned->step, 1);
  // The same ordinals are planned again, in order, with other attempts: old groups cannot be mistaken for
  // them.
  EXPECT_EQ(run.TakeStep(), second);
  EXPECT_EQ(run.TakeStep(), third);
}

// Their answers were those of a history that is no more.
TEST(RunState, GroupsOfAbandonedStepsAreNotSubmittedAgain) {
  TestRun run;
  RunState& state = run.state;
  const v1::GroupRecord first = MustLease(state, "w", 0);
  ASSERT_TRUE(state.Submit(Submit(first))->accepted());
  ASSERT_EQ(run.TakeStep().front(), first.ordinal());
  ASSERT_TRUE(state.Submit(Submit(first))->repeated_submit());  // consumed
  ASSERT_TRUE(run.Start(Version(0)).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(state.Submit(Submit(first)).status()));
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

// As with copies of the newest step: no checkpoint of it is needed.
TEST(RunState, GoesOnAtTheNewestStepWithItsWeights) {
  TestRun run;
  RunState& state = run.state;
  run.TakeStep();
  ASSERT_TRUE(run.Checkpoint().ok());
  run.TakeStep();
  const v1::GroupRecord leased = MustLease(state, "w", 2);
  const int32_t generation = state.plan().generation;
  state.TakeChanges();
  state.AwaitLearner();
  struct {
    const char* what;
    int64_t step;
    std::string digest;
    absl::StatusCode code;
  } cases[] = {{"published and not committed", 3, Version(3).digest(), absl::StatusCode::kAborted},
               {"other weights", 2, "others", absl::StatusCode::kInvalidArgument},
               {"the weights of the step before", 2, Version(1).digest(), absl::StatusCode::kInvalidArgument},
               {"its weights", 2, Version(2).digest(), absl::StatusCode::kOk}};
  for (const auto& c : cases) {
    v1::PolicyVersion version;
    version.set_number(c.step);
    version.set_digest(c.digest);
    EXPECT_EQ(run.Start(version).code(), c.code) << c.what;
    EXPECT_EQ(state.started(), c.code == absl::StatusCode::kOk) << c.what;
  }
  EXPECT_TRUE(state.changes().empty());  // nothing is abandoned
  EXPECT_EQ(state.plan().generation, generation);
  EXPECT_EQ(state.newest_checkpoint(), 1);
  EXPECT_TRUE(state.Submit(Submit(leased))->accepted());
  EXPECT_EQ(run.TakeStep().front(), leased.ordinal());
}

TEST(RunState, GoesBackToTheBaseWhileNothingIsSaved) {
  TestRun run;
  const std::vector<int64_t> first = run.TakeStep();
  run.TakeStep();
  ASSERT_TRUE(run.Start(Version(0)).ok());
  EXPECT_EQ(run.state.committed_steps(), 0);
  EXPECT_EQ(run.TakeStep(), first);
}

TEST(RunState, ACheckpointHoldsTheWeightsThatACommittedStepMade) {
  TestRun run;
  run.TakeStep();
  v1::CheckpointRecord record;
  const std::string made = Version(1).digest();
  record.set_step(2);
  EXPECT_TRUE(absl::IsAborted(run.state.RecordCheckpoint(&record, Version(2).digest(), "")));
  record.set_step(1);
  EXPECT_TRUE(absl::IsInvalidArgument(run.state.RecordCheckpoint(&record, "", "")));  // not known
  EXPECT_TRUE(absl::IsAborted(run.state.RecordCheckpoint(&record, made, "another")));
  run.TakeStep();  // it is written while training goes on
  ASSERT_TRUE(run.state.RecordCheckpoint(&record, made, made).ok());
  EXPECT_EQ(record.version().digest(), made);
  EXPECT_EQ(record.version().number(), 1);
}

TEST(RunState, EachStepNamesTheRecordsBeforeIt) {
  TestRun run;
  run.state.RestoreChain("what the run is");
  for (int i = 0; i < 3; ++i) run.TakeStep();
  EXPECT_EQ(run.steps[0].previous_digest(), "what the run is");
  EXPECT_EQ(run.steps[1].previous_digest(), RecordDigest(RecordBytes(run.steps[0])));
  EXPECT_EQ(run.steps[2].previous_digest(), RecordDigest(RecordBytes(run.steps[1])));
  std::vector<std::string> groups;
  for (const int64_t ordinal : run.steps[2].ordinals())
    groups.push_back(RecordBytes(*run.state.changes().groups.at(ordinal)));
  EXPECT_EQ(run.steps[2].groups_digest(), GroupsDigest(groups));
  // What comes after steps that were abandoned follows the last one that was kept.
  ASSERT_TRUE(run.Start(Version(0)).ok());
  run.TakeStep();
  EXPECT_EQ(run.steps[0].previous_digest(), "what the run is");
}

TEST(RunState, ACopyThatIsChangedLeavesTheOriginalAlone) {
  TestRun run;
  const v1::GroupRecord group = MustLease(run.state, "w", 0);
  RunState copy = run.state;
  ASSERT_TRUE(copy.Submit(Submit(group))->accepted());
  MustLease(copy, "w", 0);
  EXPECT_EQ(run.state.Count(v1::COMPLETE), 0);
  EXPECT_EQ(run.state.Count(v1::LEASED), 1);
  EXPECT_EQ(run.state.plan().next_ordinal, 1);
  EXPECT_TRUE(run.state.Submit(Submit(group))->accepted());
}

TEST(RunState, FinishesAfterItsSteps) {
  TestRun run(Rules(1));
  RunState& state = run.state;
  for (int i = 0; i < 4; ++i) run.TakeStep();
  EXPECT_TRUE(state.finished());
  EXPECT_EQ(Lease(state, "w", Version(4)).group, nullptr);
  EXPECT_EQ(state.plan().next_ordinal, 8);  // no group too many was planned
}

// Leased by slow workers at version 0 while two steps went by: one group is submitted between the assignment
// and the commit of the second step, one after it.
TEST(RunState, GroupsThatBecameTooOldAreSampledAgain) {
  TestRun run(Rules(1));
  RunState& state = run.state;
  std::vector<v1::GroupRecord> old;
  for (int i = 0; i < 4; ++i) old.push_back(MustLease(state, "slow", 0));
  const auto take_step = [&](int64_t step, const std::vector<v1::GroupRecord>& groups) {
    for (const v1::GroupRecord& group : groups) ASSERT_TRUE(state.Submit(Submit(group))->accepted());
    ASSERT_EQ(state.Assign(step)->size(), 2u);
    if (step == 1) {
      ASSERT_TRUE(state.Submit(Submit(old[0]))->accepted());  // just young enough
    }
    ASSERT_TRUE(run.CommitStep(Commit(step, {groups[0].ordinal(), groups[1].ordinal()})).ok());
  };
  take_step(0, {old[2], old[3]});
  take_step(1, {MustLease(state, "w", 1), MustLease(state, "w", 1)});
  const auto late = state.Submit(Submit(old[1]));
  EXPECT_FALSE(late->accepted());
  EXPECT_EQ(late->retired_reason(), v1::RETIRE_STALE);
  EXPECT_TRUE(state.retired_by_reason().empty());  // no fault of the prompt
  v1::GroupRecord again = MustLease(state, "w", 2);
  EXPECT_EQ(again.ordinal(), 1);
  EXPECT_EQ(again.attempt(), 1);
  ASSERT_TRUE(state.Submit(Submit(again))->accepted());
  EXPECT_TRUE(state.Assign(2)->empty());  // ordinal 0 was accepted, and is too old by now
  again = MustLease(state, "w", 2);
  EXPECT_EQ(again.ordinal(), 0);
  EXPECT_EQ(again.attempt(), 1);
  ASSERT_TRUE(state.Submit(Submit(again))->accepted());
  EXPECT_EQ(state.Assign(2)->size(), 2u);
}

// An attempt names a group for good, also where steps were abandoned and their ordinals come again.
TEST(RunState, NoAttemptComesTwice) {
  TestRun run;
  RunState& state = run.state;
  std::set<std::pair<int64_t, int32_t>> seen;
  const auto lease = [&] {
    const v1::GroupRecord group = MustLease(state, "w", state.committed_steps());
    EXPECT_TRUE(seen.emplace(group.ordinal(), group.attempt()).second)
        << Describe(MakeLeaseId(group.ordinal(), group.attempt()));
    return group;
  };
  for (int generation = 0; generation < 3; ++generation) {
    for (int i = 0; i < 5; ++i) ASSERT_TRUE(state.Return(Return(lease(), v1::RETURN_DRAIN)).ok());
    for (int step = 0; step < 2; ++step) {
      const v1::GroupRecord first = lease(), second = lease();
      EXPECT_EQ(first.generation(), generation);
      for (const v1::GroupRecord& group : {first, second})
        ASSERT_TRUE(state.Submit(Submit(group))->accepted());
      ASSERT_TRUE(state.Assign(step).ok());
      ASSERT_TRUE(run.CommitStep(Commit(step, {first.ordinal(), second.ordinal()})).ok());
    }
    ASSERT_TRUE(run.Start(Version(0)).ok());
  }
}

TEST(RunState, AnOperatorGoesBackToARecordedCheckpoint) {
  TestRun run;
  run.TakeStep();
  ASSERT_TRUE(run.Checkpoint().ok());  // of 1 step
  run.TakeStep();
  run.TakeStep();
  ASSERT_TRUE(run.Checkpoint().ok());  // of 3 steps
  struct {
    int64_t step;
    absl::StatusCode code;
  } cases[] = {{-1, absl::StatusCode::kInvalidArgument},
               {0, absl::StatusCode::kOk},
               {1, absl::StatusCode::kOk},
               {2, absl::StatusCode::kFailedPrecondition},
               {3, absl::StatusCode::kOk},
               {4, absl::StatusCode::kInvalidArgument}};
  for (const auto& c : cases) {
    TestRun copy = run;
    copy.state.TakeChanges();
    const auto first = copy.steps.begin() + std::clamp<int64_t>(c.step - 1, 0, 2);
    EXPECT_EQ(copy.state.GoBackTo(c.step, {first, copy.steps.end()}).code(), c.code) << c.step;
    const bool went = c.code == absl::StatusCode::kOk;
    EXPECT_EQ(copy.state.committed_steps(), went ? c.step : 3) << c.step;
    EXPECT_EQ(copy.state.changes().abandoned.has_value(), went && c.step < 3) << c.step;
    if (!went) continue;
    // The learner is waited for, and goes on from there.
    EXPECT_EQ(Lease(copy.state, "w", copy.state.current_version()).blocker.kind, Blocker::Kind::kStart);
    copy.steps.resize(static_cast<size_t>(c.step));
    ASSERT_TRUE(copy.Start(Version(c.step)).ok()) << c.step;
    while (!copy.state.finished()) copy.TakeStep();
  }
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
          const auto decision =
              Lease(state, "w" + std::to_string(random.Below(2)), state.current_version(), now);
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
          for (const GroupPointer& group : *assigned) {
            ordinals.push_back(group->ordinal());
            ASSERT_LE(step - group->version().number(), rules.max_staleness);
          }
          if (random.Chance(.3)) break;  // the learner works; others go on meanwhile
          if (random.Chance(.2)) {
            Lose(state, ordinals[0], v1::RETIRE_TRAJECTORY_LOST);
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
