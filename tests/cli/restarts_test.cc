#include "cli/local/restarts.h"

#include "common/exit_code.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace lvrpo {
namespace {

using ::testing::ElementsAre;

TEST(Restarts, WaitLongerEachTimeAndEnd) {
  Restarts restarts(10);
  std::vector<double> waits;
  for (int i = 0; i < 8; ++i)
    waits.push_back(absl::ToDoubleSeconds(*restarts.Next("learner", absl::Seconds(1))));
  EXPECT_THAT(waits, ElementsAre(0, 1, 2, 4, 8, 16, 30, 30));
  EXPECT_EQ(restarts.Next("reward-0", absl::Seconds(1)), absl::ZeroDuration());  // each role for itself
  EXPECT_EQ(restarts.Next("learner", absl::Minutes(2)), absl::ZeroDuration());   // it had settled
  EXPECT_EQ(restarts.Next("rollout-0", absl::Hours(1)), std::nullopt);           // ten in all
  EXPECT_EQ(restarts.used(), 10);
  EXPECT_EQ(Restarts(0).Next("learner", absl::Hours(1)), std::nullopt);
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
