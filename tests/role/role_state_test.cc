#include "role/role_state.h"

#include <set>

#include "gtest/gtest.h"

namespace lvrpo {
namespace {

TEST(RoleState, TellsWhatAProcessDoesAndWhyItIsNotReady) {
  const absl::Duration lost = absl::Seconds(12);
  struct {
    RoleFacts facts;
    RolePhase phase;
    const char* not_ready;
  } cases[] = {
      {{.loading = "the model"}, RolePhase::kLoading, "loading the model"},
      {{.waits_for = "the coordinator"}, RolePhase::kJoining, "joining: waits for the coordinator"},
      {{}, RolePhase::kJoining, "joining"},
      {{.joined = true}, RolePhase::kServing, ""},
      {{.joins = false}, RolePhase::kServing, ""},
      {{.joined = true, .silence = kOrdinarySilence}, RolePhase::kServing, ""},
      {{.joined = true, .silence = lost}, RolePhase::kLost, "lost its coordinator for 12s"},
      {{.joined = true, .trouble = "its disk: full"}, RolePhase::kUnwell, "its disk: full"},
      // A learner that has joined and restores its weights.
      {{.loading = "weights", .joined = true}, RolePhase::kLoading, "loading weights"},
      {{.joined = true, .draining = true}, RolePhase::kDraining, "draining"},
      {{.joined = true, .finished = true}, RolePhase::kFinished, "finished"},
      {{.loading = "the model", .told = true}, RolePhase::kLeaving, "leaving"},
      {{.joined = true, .draining = true, .told = true}, RolePhase::kLeaving, "leaving"},
      {{.joined = true, .finished = true, .told = true}, RolePhase::kFinished, "finished"},
      // Members ask the coordinator until they have left.
      {{.joins = false, .draining = true, .serves_to_the_end = true}, RolePhase::kDraining, ""},
      {{.joins = false, .finished = true, .serves_to_the_end = true}, RolePhase::kFinished, ""},
      {{.joins = false, .told = true, .serves_to_the_end = true}, RolePhase::kLeaving, "leaving"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(PhaseOf(c.facts), c.phase) << c.not_ready;
    EXPECT_EQ(NotReady(c.facts), c.not_ready);
  }
}

TEST(RoleState, EachPhaseHasItsWord) {
  std::set<std::string> words;
  for (const RolePhase phase : kRolePhases) words.insert(WordOf(phase));
  EXPECT_EQ(words.size(), std::size(kRolePhases));
  EXPECT_FALSE(words.contains(""));
}

// From the start of a process to its end.
TEST(RoleState, FollowsTheLifeOfAProcess) {
  RoleState state;
  const auto now = [&state] { return NotReady(state.facts()); };
  EXPECT_EQ(now(), "loading the program");
  state.SetLoading("the model");
  EXPECT_EQ(now(), "loading the model");
  state.SetLoading("");
  state.SetWaiting("the coordinator at here:1");
  EXPECT_EQ(now(), "joining: waits for the coordinator at here:1");
  RoleState::Sight sight;
  state.Follow([&sight] { return sight; });
  EXPECT_EQ(now(), "");
  std::string trouble = "a scorer hangs";
  state.SetTrouble([&trouble] { return trouble; });
  EXPECT_EQ(now(), "a scorer hangs");
  sight.silence = absl::Seconds(4);
  EXPECT_EQ(now(), "lost its coordinator for 4s");
  sight = {.draining = true};
  EXPECT_EQ(now(), "draining");
  bool told = true;
  state.SetTold([&told] { return told; });
  EXPECT_EQ(now(), "leaving");
  state.Follow(nullptr);
  state.SetTrouble(nullptr);
  told = false;
  state.Finish();
  EXPECT_EQ(now(), "finished");
}

}  // namespace
}  // namespace lvrpo
