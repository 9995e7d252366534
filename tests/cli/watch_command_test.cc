#include "cli/watch_command.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace lvrpo {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

nlohmann::json At(int64_t step, const std::string& state = "running", double seconds_left = 60) {
  return {{"run_id", "r"},
          {"state", state},
          {"step", step},
          {"total_steps", 10},
          {"waiting_for", ""},
          {"seconds_left", seconds_left},
          {"members", nlohmann::json::array()}};
}

TEST(StatusWatch, PrintsOneLineForEachChange) {
  StatusWatch watch(StatusWatch::Form::kLines);
  EXPECT_THAT(watch.Look(At(3)), AllOf(StartsWith("run r"), HasSubstr("step 3/10"), EndsWith("\n")));
  EXPECT_EQ(watch.Look(At(3, "running", 59)), "");  // only time went by
  nlohmann::json waiting = At(3);
  waiting["waiting_for"] = "rollout-0";
  EXPECT_THAT(watch.Look(waiting), HasSubstr("waiting for rollout-0"));
  nlohmann::json scored = At(3);
  scored["heldout"] = {{"step", 2}, {"score", .5}, {"gain", nullptr}, {"text_accuracy", nullptr}};
  EXPECT_THAT(watch.Look(scored), HasSubstr("held-out 0.500"));
  EXPECT_EQ(watch.Look(absl::UnavailableError("away")), "away\n");
  EXPECT_EQ(watch.Look(absl::UnavailableError("away")), "");
  EXPECT_FALSE(watch.ended());
  EXPECT_THAT(watch.Look(At(10, "finished")), HasSubstr("finished"));
  EXPECT_TRUE(watch.ended());
}

TEST(StatusWatch, EndsWhenNobodyWorksOnTheRunForAWhile) {
  StatusWatch watch(StatusWatch::Form::kJson);
  EXPECT_EQ(nlohmann::json::parse(watch.Look(At(3, "stopped")))["state"], "stopped");
  EXPECT_FALSE(watch.ended());
  watch.Look(At(3));  // it was being restarted
  for (int i = 0; i < 9; ++i) watch.Look(At(3, "stopped"));
  EXPECT_FALSE(watch.ended());
  watch.Look(At(3, "stopped"));
  EXPECT_TRUE(watch.ended());
}

TEST(StatusWatch, ShowsAllOfItOnAScreen) {
  StatusWatch watch(StatusWatch::Form::kScreen);
  EXPECT_THAT(watch.Look(At(3)), AllOf(StartsWith("\033[H"), HasSubstr("groups:")));
  EXPECT_THAT(watch.Look(At(3)), HasSubstr("step 3/10"));
}

}  // namespace
}  // namespace lvrpo
