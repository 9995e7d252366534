#include "cli/local/restarts.h"

#include "common/exit_code.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace lvrpo {
namespace {

using ::testing::ElementsAre;

Death Alone(const std::string& role, absl::Duration lived) {
  return {.role = role, .group = "", .started = absl::UnixEpoch(), .died = absl::UnixEpoch() + lived};
}

TEST(Restarts, WaitLongerEachTimeAndEnd) {
  Restarts restarts(10);
  std::vector<double> waits;
  for (int i = 0; i < 8; ++i)
    waits.push_back(absl::ToDoubleSeconds(*restarts.Next(Alone("learner", absl::Seconds(1)))));
  EXPECT_THAT(waits, ElementsAre(0, 1, 2, 4, 8, 16, 30, 30));
  EXPECT_EQ(restarts.Next(Alone("reward-0", absl::Seconds(1))), absl::ZeroDuration());  // each for itself
  EXPECT_EQ(restarts.Next(Alone("learner", absl::Minutes(2))), absl::ZeroDuration());   // it had settled
  EXPECT_EQ(restarts.Next(Alone("rollout-0", absl::Hours(1))), std::nullopt);           // ten in all
  EXPECT_EQ(restarts.used(), 10);
  EXPECT_EQ(Restarts(0).Next(Alone("learner", absl::Hours(1))), std::nullopt);
}

TEST(Restarts, RanksThatDieOfOneCauseCountOnce) {
  struct One {
    int rank, started, died;  // seconds
  };
  struct {
    const char* what;
    std::vector<One> deaths;
    int used;
  } cases[] = {
      {"one rank", {{0, 0, 100}}, 1},
      {"one dies, the others leave", {{1, 0, 100}, {0, 0, 101}, {2, 0, 160}}, 1},
      {"the one that died is seen last", {{0, 0, 100}, {1, 0, 100}}, 1},
      {"both at once", {{0, 0, 100}, {1, 1, 100}}, 1},
      {"the next time", {{1, 0, 100}, {0, 0, 101}, {1, 102, 300}, {0, 102, 301}}, 2},
      {"one that dies at each start", {{1, 0, 100}, {0, 0, 101}, {1, 101, 102}, {1, 103, 104}}, 3},
      {"and takes the other along each time",
       {{1, 0, 100}, {0, 0, 101}, {1, 101, 102}, {0, 102, 103}, {1, 104, 105}, {0, 104, 106}},
       3},
      {"a new one dies before the last old one leaves", {{1, 0, 100}, {1, 101, 102}, {0, 0, 103}}, 2},
  };
  for (const auto& c : cases) {
    Restarts restarts(10);
    for (const One& one : c.deaths) {
      EXPECT_TRUE(restarts
                      .Next({.role = "learner-" + std::to_string(one.rank),
                             .group = "learner",
                             .started = absl::FromUnixSeconds(one.started),
                             .died = absl::FromUnixSeconds(one.died)})
                      .has_value())
          << c.what;
    }
    EXPECT_EQ(restarts.used(), c.used) << c.what;
  }
}

TEST(Restarts, KnowWhatAnotherTryCannotHelp) {
  for (const int code : {kExitUsage, kExitConfig, kExitData, kExitDiverged, ExitCode(127)})
    EXPECT_FALSE(MayRestart(code)) << code;
  for (const int code : {137, 139, int{kExitUnavailable}, int{kExitBug}, int{kExitRetry}})
    EXPECT_TRUE(MayRestart(code)) << code;
}

TEST(Restarts, WhatIsDoneAboutARole) {
  struct {
    const char* what;
    RoleSight sight;
    bool ending, goes_on;
    Care care;
  } cases[] = {
      {"it works", {}, false, true, Care::kNothing},
      {"it works on while the run drains", {}, true, false, Care::kNothing},
      {"it hangs", {.too_silent = true}, false, true, Care::kKill},
      {"it hangs, and the coordinator does not answer: it is that",
       {.too_silent = true},
       false,
       false,
       Care::kKill},
      {"it hangs while the run drains, whose grace ends", {.too_silent = true}, true, false, Care::kNothing},
      {"it was killed and has not ended yet",
       {.too_silent = true, .killed = true},
       false,
       true,
       Care::kNothing},
      {"it hung and has ended",
       {.exit_code = 137, .too_silent = true, .killed = true},
       false,
       true,
       Care::kReplace},
      {"it hung and has no process", {.has_process = false, .too_silent = true}, false, true, Care::kNothing},
      {"it died", {.exit_code = 137}, false, true, Care::kReplace},
      {"it died, and the coordinator does not answer", {.exit_code = 70}, false, false, Care::kReplace},
      {"it died while the run drains", {.exit_code = 70}, true, false, Care::kLetGo},
      {"it left, as at the end of a run", {.exit_code = 0}, false, true, Care::kNoteLeft},
      {"it left, and the run goes on", {.exit_code = 0, .left_before = true}, false, true, Care::kReplace},
      {"it left, and nobody knows whether the run goes on",
       {.exit_code = 0, .left_before = true},
       false,
       false,
       Care::kNoteLeft},
      {"it left a run that drains", {.exit_code = 0, .left_before = true}, true, false, Care::kNoteLeft},
      {"it waits for its restart", {.has_process = false}, false, true, Care::kNothing},
      {"its pause is over", {.has_process = false, .is_due = true}, false, false, Care::kStart},
      {"its pause is over, and the run drains",
       {.has_process = false, .is_due = true},
       true,
       false,
       Care::kNothing},
  };
  for (const auto& c : cases) EXPECT_EQ(CareFor(c.sight, c.ending, c.goes_on), c.care) << c.what;
}

}  // namespace
}  // namespace lvrpo
