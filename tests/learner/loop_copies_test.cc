// A learner that is killed goes on from copies of its newest committed step.

#include "absl/strings/str_cat.h"
#include "common/files/filesystem.h"
#include "gmock/gmock.h"
#include "tests/learner/loop_ranks_fixture.h"

namespace lvrpo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class LoopCopiesTest : public LoopRanksTest {
 protected:
  // Some ranks, sharded or not, with a machine each or all on one.
  struct Team {
    int ranks = 1;
    bool sharded = false, apart = false;
  };
  LoopCopiesTest() {
    config_.mutable_learner()->set_ordered_sums(true);
    config_.mutable_train()->set_checkpoint_every(0);
    config_.mutable_learner()->set_step_copies(folder_ / "memory");
  }
  void Begin(const Team& team, const std::string& epoch) {
    config_.mutable_learner()->set_sharded(team.sharded);
    for (int i = 0; i < team.ranks; ++i)
      ranks_[i].memory = team.apart ? folder_ / absl::StrCat("memory-", i) : std::string();
    Restart(team.ranks, epoch);
  }
  std::vector<v1::AssignedGroup> StepOf(int64_t step) {
    return {Deliver(2 * step, 0), Deliver(2 * step + 1, count_ - 1)};
  }
  // What two steps give that nothing disturbs.
  std::string Undisturbed() {
    Begin({.ranks = 1}, "undisturbed");
    script_.steps = {StepOf(0), StepOf(1)};
    for (const absl::Status& status : Run()) EXPECT_TRUE(status.ok()) << status;
    const std::string digest = script_.commits.back().new_version().digest();
    Forget();
    return digest;
  }
  void Forget() {
    script_.commits.clear();
    script_.started_at.clear();
    script_.checkpoints.clear();
    script_.view.Clear();
  }
  // Trains two steps and dies before the second is committed: copies of both stay.
  void DieInTheSecondStep(const Team& team) {
    Begin(team, "first");
    script_.steps = {StepOf(0), StepOf(1)};
    script_.commit_error = absl::AbortedError("killed");
    script_.commits_before_error = 1;
    for (const absl::Status& status : Run()) EXPECT_TRUE(absl::IsAborted(status)) << status;
    script_.commit_error = absl::OkStatus();
    ASSERT_EQ(script_.commits.size(), 1u);
    *script_.view.mutable_current_version() = script_.commits[0].new_version();
    script_.view.set_step(1);
  }
  // Another process goes on, from the start when there is nothing better.
  void GoOn(const Team& team, bool from_the_start = false) {
    Begin(team, "second");
    script_.steps = {StepOf(1)};
    if (from_the_start) script_.steps.push_front(StepOf(0));
    for (const absl::Status& status : Run()) EXPECT_TRUE(status.ok()) << status;
  }
  void ExpectRestoredFrom(const std::string& source, int retrained) {
    const std::string figures = ranks_[0].metrics.Render();
    EXPECT_THAT(figures, HasSubstr(absl::StrCat("restored_from{source=\"", source, "\"} 1")));
    EXPECT_THAT(figures, HasSubstr(absl::StrCat("lvrpo_learner_steps_retrained ", retrained, "\n")));
  }
  static std::string Words(const Team& team) {
    return absl::StrCat(team.ranks, team.sharded ? " sharded" : " whole", team.apart ? ", apart" : "");
  }
};

TEST_F(LoopCopiesTest, AKilledLearnerGoesOnFromTheNewestCommittedStep) {
  const std::string digest = Undisturbed();
  const Team teams[] = {{.ranks = 1},
                        {.ranks = 1, .sharded = true},
                        {.ranks = 2},
                        {.ranks = 2, .sharded = true},
                        {.ranks = 2, .apart = true},
                        {.ranks = 3, .sharded = true, .apart = true}};
  for (const Team& team : teams) {
    SCOPED_TRACE(Words(team));
    DieInTheSecondStep(team);
    GoOn(team);
    EXPECT_THAT(script_.started_at, ElementsAre(0, 1));
    ASSERT_EQ(script_.commits.size(), 2u);
    EXPECT_EQ(script_.commits[1].new_version().digest(), digest);
    ExpectRestoredFrom("copies", 0);
    EXPECT_EQ(script_.checkpoints.size(), 1u);
    // It has all that the copies had.
    EXPECT_FALSE(Exists(folder_ / "memory/run"));
    for (int i = 0; i < team.ranks; ++i) EXPECT_FALSE(Exists(folder_ / absl::StrCat("memory-", i, "/run")));
    Forget();
  }
}

TEST_F(LoopCopiesTest, AnyOneMachineMayBeLost) {
  const std::string digest = Undisturbed();
  for (const Team& team :
       {Team{.ranks = 2, .apart = true}, Team{.ranks = 3, .sharded = true, .apart = true}}) {
    for (int lost = 0; lost < team.ranks; ++lost) {
      SCOPED_TRACE(absl::StrCat(Words(team), ", without ", lost));
      DieInTheSecondStep(team);
      ASSERT_TRUE(RemoveTree(folder_ / absl::StrCat("memory-", lost)).ok());
      GoOn(team);
      EXPECT_THAT(script_.started_at, ElementsAre(0, 1));
      EXPECT_EQ(script_.commits.back().new_version().digest(), digest);
      Forget();
    }
  }
}

TEST_F(LoopCopiesTest, AnotherNumberOfRanksGoesOnFromThem) {
  const std::string digest = Undisturbed();
  const std::pair<Team, Team> changes[] = {{{.ranks = 3, .sharded = true}, {.ranks = 2, .sharded = true}},
                                           {{.ranks = 2, .sharded = true}, {.ranks = 3, .sharded = true}},
                                           {{.ranks = 2, .sharded = true}, {.ranks = 1}},
                                           {{.ranks = 1}, {.ranks = 2, .sharded = true}}};
  for (const auto& [before, after] : changes) {
    SCOPED_TRACE(Words(before) + ", then " + Words(after));
    DieInTheSecondStep(before);
    GoOn(after);
    EXPECT_THAT(script_.started_at, ElementsAre(0, 1));
    EXPECT_EQ(script_.commits.back().new_version().digest(), digest);
    Forget();
  }
}

TEST_F(LoopCopiesTest, WithoutAllPartsOfThatStepItGoesBackToTheCheckpoint) {
  const std::string digest = Undisturbed();
  const Team team = {.ranks = 2, .sharded = true};
  const std::string path = folder_ / "memory/run/step-1.part-1-of-2";
  const std::pair<const char*, std::function<void()>> cases[] = {
      {"a part is missing", [&] { ASSERT_TRUE(RemoveFile(path + ".json").ok()); }},
      {"a part is damaged",
       [&] {
         std::string bytes = *ReadFile(path + ".safetensors");
         bytes.back() ^= 1;
         ASSERT_TRUE(WriteFileAtomic(path + ".safetensors", bytes).ok());
       }},
      {"the records name other weights",
       [&] { script_.view.mutable_current_version()->set_digest(std::string(64, 'a')); }},
      {"the records name a newer step", [&] { script_.view.mutable_current_version()->set_number(3); }},
  };
  for (const auto& [what, damage] : cases) {
    SCOPED_TRACE(what);
    DieInTheSecondStep(team);
    damage();
    GoOn(team, /*from_the_start=*/true);
    EXPECT_THAT(script_.started_at, ElementsAre(0, 0));
    EXPECT_EQ(script_.commits.back().new_version().digest(), digest);
    ExpectRestoredFrom("base", 1);
    Forget();
  }
}

TEST_F(LoopCopiesTest, ADamagedCopyIsNoReasonWhereTheNeighbourHasAnother) {
  const std::string digest = Undisturbed();
  const Team team = {.ranks = 2, .sharded = true, .apart = true};
  DieInTheSecondStep(team);
  const std::string path = folder_ / "memory-0/run/step-1.part-1-of-2.safetensors";
  std::string bytes = *ReadFile(path);
  bytes.back() ^= 1;
  ASSERT_TRUE(WriteFileAtomic(path, bytes).ok());
  GoOn(team);
  EXPECT_EQ(script_.commits.back().new_version().digest(), digest);
  ExpectRestoredFrom("copies", 0);
}

// As where the folder's file system is full: training goes on.
TEST_F(LoopCopiesTest, AStepThatCannotBeCopiedIsCommitted) {
  folder_.Write("memory", "a file in the folder's place");
  Begin({.ranks = 2, .sharded = true}, "E");
  script_.steps = {StepOf(0), StepOf(1)};
  EXPECT_THAT(Run(), ElementsAre(absl::OkStatus(), absl::OkStatus()));
  EXPECT_EQ(script_.commits.size(), 2u);
}

TEST_F(LoopCopiesTest, NothingIsCopiedWithoutAFolder) {
  config_.mutable_learner()->clear_step_copies();
  Begin({.ranks = 1}, "E");
  script_.steps = {StepOf(0), StepOf(1)};
  EXPECT_THAT(Run(), ElementsAre(absl::OkStatus()));
  EXPECT_THAT(ranks_[0].metrics.Render(), Not(HasSubstr("step_copy")));
  EXPECT_FALSE(script_.commits[0].metrics().contains("seconds_copy"));
}

// Parts of checkpoints.

TEST_F(LoopCopiesTest, ShardedRanksSaveInPartsWhatAnyNumberOfRanksGoesOnFrom) {
  const std::string digest = Undisturbed();
  config_.mutable_learner()->clear_step_copies();
  config_.mutable_train()->set_checkpoint_every(1);
  const std::pair<Team, Team> changes[] = {{{.ranks = 1, .sharded = true}, {.ranks = 3, .sharded = true}},
                                           {{.ranks = 2, .sharded = true}, {.ranks = 1}},
                                           {{.ranks = 2, .sharded = true}, {.ranks = 2, .sharded = true}},
                                           {{.ranks = 3, .sharded = true}, {.ranks = 2, .sharded = true}},
                                           {{.ranks = 4, .sharded = true}, {.ranks = 1, .sharded = true}}};
  for (const auto& [before, after] : changes) {
    SCOPED_TRACE(Words(before) + ", then " + Words(after));
    DieInTheSecondStep(before);
    ASSERT_EQ(script_.checkpoints.size(), 1u);
    EXPECT_EQ(Exists(absl::StrCat(run_, "/checkpoints/step_000001/optimizer-00000-of-0000", before.ranks,
                                  ".safetensors")),
              before.ranks > 1);
    GoOn(after);
    EXPECT_THAT(script_.started_at, ElementsAre(0, 1));
    EXPECT_EQ(script_.commits.back().new_version().digest(), digest);
    ExpectRestoredFrom("checkpoint", 0);
    EXPECT_EQ(script_.checkpoints[0].step(), 2);
    Forget();
  }
}

// They need no folder in common to go on: rank 0 alone reads checkpoints.
TEST_F(LoopCopiesTest, WhereRanksSeeNoCommonFolderRankZeroSavesEverything) {
  const std::string digest = Undisturbed();
  config_.mutable_learner()->clear_step_copies();
  config_.mutable_train()->set_checkpoint_every(1);
  for (int i = 1; i < 3; ++i) {
    ranks_[i].run_dir = folder_ / absl::StrCat("machine-", i);
    ASSERT_TRUE(MakeFolder(ranks_[i].run_dir).ok());
  }
  const Team team = {.ranks = 3, .sharded = true};
  DieInTheSecondStep(team);
  EXPECT_TRUE(Exists(run_ + "/checkpoints/step_000001/optimizer.safetensors"));
  GoOn(team);
  EXPECT_THAT(script_.started_at, ElementsAre(0, 1));
  EXPECT_EQ(script_.commits.back().new_version().digest(), digest);
  EXPECT_FALSE(Exists(ranks_[1].run_dir + "/checkpoints"));
}

// The last one is told of in another way than those before.
TEST_F(LoopCopiesTest, TheLastCheckpointIsInPartsToo) {
  config_.mutable_learner()->clear_step_copies();
  Begin({.ranks = 2, .sharded = true}, "E");
  script_.total_steps = 9;
  script_.steps = {StepOf(0)};
  ranks_[1].on_pause = [&] { ranks_[1].stop = true; };
  EXPECT_THAT(Run(), ElementsAre(absl::OkStatus(), absl::OkStatus()));
  ASSERT_EQ(script_.checkpoints.size(), 1u);
  EXPECT_THAT(*ListFolder(run_ + "/checkpoints"), ElementsAre("step_000001"));
  EXPECT_TRUE(Exists(run_ + "/checkpoints/step_000001/optimizer-00001-of-00002.safetensors"));
}

}  // namespace
}  // namespace lvrpo
