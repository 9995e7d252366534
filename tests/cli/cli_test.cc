#include <unistd.h>

#include <cmath>

#include "absl/strings/str_cat.h"
#include "cli/local/process.h"
#include "cli/local/progress.h"
#include "cli/local/supervisor.h"
#include "cli/report/chart.h"
#include "cli/report/run_summary.h"
#include "common/exit_code.h"
#include "common/files/file.h"
#include "common/files/filesystem.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace lvrpo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(Progress, TellsWhatAUserWantsToKnow) {
  ProgressInput input;
  input.status.set_step(30);
  input.status.set_total_steps(100);
  (*input.status.mutable_recent_reward_means())["reward"] = 0.5;
  (*input.status.mutable_recent_reward_means())["instruction"] = 0.25;
  input.status.set_waiting_for("rollout-1");
  input.heldout = "0.412";
  input.samples_per_second = 63.7;
  input.seconds_left = 70;
  (*input.status.mutable_recent_reward_means())["my_scorer"] = 1;
  EXPECT_EQ(FormatProgress(input),
            "step 30/100  70 s left  waiting for rollout-1  reward 0.500 (instruction 0.25, my_scorer 1.00)  "
            "held-out 0.412  64 samples/s");
  input.seconds_left = .2;
  EXPECT_THAT(FormatProgress(input), HasSubstr("step 30/100  1 s left  "));  // there are steps to come
  EXPECT_EQ(FormatProgress(ProgressInput()), "step 0/0");
}

TEST(Progress, TimeLeftIsThatOfTheStepsSeenOrUnknown) {
  EXPECT_EQ(SecondsLeft({}, 10, 0), std::nullopt);
  EXPECT_EQ(SecondsLeft({{3, 100}}, 10, 101), std::nullopt);
  EXPECT_EQ(SecondsLeft({{0, 0}, {1, 2}, {2, 4}, {3, 6}}, 10, 7), 14);
  EXPECT_EQ(SecondsLeft({{0, 0}, {4, 8}}, 10, 8), 12);  // several steps between two looks
  EXPECT_EQ(SecondsLeft({{1, 2}, {2, 4}, {3, 90004}, {4, 90006}}, 10, 90007), 12);  // stopped for a day
  EXPECT_EQ(SecondsLeft({{1, 2}, {2, 4}}, 10, 10000), std::nullopt);                // stalled now
  EXPECT_EQ(SecondsLeft({{1, 0}, {2, 500}}, 10, 1000), 4000);                       // slow steps
  EXPECT_EQ(SecondsLeft({{9, 2}, {10, 4}}, 10, 4), 0);
}

TEST(Progress, Durations) {
  EXPECT_EQ(FormatSeconds(9.4), "9 s");
  EXPECT_EQ(FormatSeconds(125), "2 min 05 s");
  EXPECT_EQ(FormatSeconds(3 * 3600 + 240), "3 h 04 min");
}

TEST(Summary, ComparesPairs) {
  // 4 pairs: two gains, one loss, one equal: mean 1/4, variance of the differences 11/16.
  const PairedDifference difference =
      ComparePairs({{false, true}, {false, true}, {true, false}, {true, true}});
  EXPECT_DOUBLE_EQ(difference.mean, 0.25);
  EXPECT_NEAR(difference.half_width, 1.96 * std::sqrt((0.75 - 0.0625) / 3), 1e-12);
  EXPECT_EQ(ComparePairs({}).mean, 0);
  const auto line = [](const char* task, const char* id, bool correct) {
    return nlohmann::json{{"task", task}, {"id", id}, {"correct", correct}};
  };
  EXPECT_THAT(
      PairOutcomes({line("image", "a", false), line("image", "b", true), line("text", "a", true)},
                   {line("image", "b", false), line("image", "c", true), line("text", "a", true)}, "image"),
      ::testing::ElementsAre(std::pair(true, false)));
}

TEST(Summary, HoldsEverythingThatWasPromised) {
  SummaryInput input;
  input.run_id = "r";
  input.records = {{"groups_consumed", 16}, {"groups_retired_by_reason", {{"zero_variance", 3}}}};
  for (int step = 0; step < 12; ++step) {
    input.steps.push_back(
        {{"step", step}, {"reward", step * 0.1}, {"reward_instruction", 1.0}, {"seconds_update", 0.5}});
  }
  input.before = {{"score", .25},
                  {"standard_error", .1},
                  {"presence_only", .5},
                  {"objects_per_image", 1.0},
                  {"objects_asked_per_image", 1.5},
                  {"unknown_share", 0.0},
                  {"color_entropy_bits", 2.0},
                  {"by_kind", {{"single", {{"score", .25}, {"images", 4}}}}}};
  input.after = input.before;
  input.after["score"] = .75;
  for (int i = 0; i < 4; ++i) {
    input.before_lines.push_back({{"task", "image"}, {"id", std::to_string(i)}, {"correct", i == 0}});
    input.after_lines.push_back({{"task", "image"}, {"id", std::to_string(i)}, {"correct", i != 3}});
  }
  // Questions are paired apart from images, whatever their ids.
  for (int i = 0; i < 2; ++i) {
    input.before_lines.push_back({{"task", "text"}, {"id", std::to_string(i)}, {"correct", false}});
    input.after_lines.push_back({{"task", "text"}, {"id", std::to_string(i)}, {"correct", true}});
  }
  input.seconds = {{"training", 60.0}, {"evaluate_before", 5.0}};
  const nlohmann::json summary = MakeSummary(input);
  EXPECT_EQ(summary["steps"], 12);
  EXPECT_EQ(summary["heldout_images"], 4);
  EXPECT_DOUBLE_EQ(summary["heldout_gain"].get<double>(), 0.5);
  EXPECT_DOUBLE_EQ(summary["text_gain"].get<double>(), 1);
  EXPECT_DOUBLE_EQ(summary["wall_seconds"].get<double>(), 65);
  EXPECT_DOUBLE_EQ(summary["seconds_by_phase"]["learner_update"].get<double>(), 6);
  EXPECT_NEAR(summary["reward_means_first_10_steps"]["combined"].get<double>(), 0.45, 1e-9);
  EXPECT_NEAR(summary["reward_means_last_10_steps"]["combined"].get<double>(), 0.65, 1e-9);
  EXPECT_EQ(summary["groups_retired_by_reason"]["zero_variance"], 3);
  EXPECT_THAT(FormatSummary(summary), HasSubstr("0.250 -> 0.750"));
  // A run that evaluates nothing still has a summary.
  EXPECT_THAT(FormatSummary(MakeSummary(SummaryInput())), Not(HasSubstr("held-out")));
}

TEST(Chart, TicksAreRound) {
  EXPECT_THAT(RoundTicks(0, 10, 5), ElementsAre(0, 2, 4, 6, 8, 10));
  EXPECT_THAT(RoundTicks(3, 3, 5), ElementsAre(3));
  const std::vector<double> ticks = RoundTicks(0.37, 0.62, 5);
  ASSERT_EQ(ticks.size(), 5u);
  EXPECT_NEAR(ticks[0], 0.4, 1e-9);
  EXPECT_NEAR(ticks[4], 0.6, 1e-9);
}

TEST(Chart, LeavesOutWhatIsNotFiniteAndSurvivesEmptiness) {
  EXPECT_THAT(DrawChart({"t", "x", "y", {}, false}), HasSubstr("no data"));
  const std::string svg = DrawChart({"a < b", "x", "y", {{"s", {{0, 1}, {1, NAN}, {2, 3}}, {}}}, false});
  EXPECT_THAT(svg, HasSubstr("a &lt; b"));
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
}

TEST(Supervisor, KnowsWhatAnotherTryCannotHelp) {
  for (const int code : {kExitUsage, kExitConfig, kExitData, kExitDiverged, ExitCode(127)})
    EXPECT_FALSE(MayRestart(code)) << code;
  for (const int code : {137, 139, int{kExitUnavailable}, int{kExitBug}, int{kExitRetry}})
    EXPECT_TRUE(MayRestart(code)) << code;
}

TEST(Process, ReportsHowItEnded) {
  const auto run = [](const std::string& script) {
    auto process = Process::Start(
        {.command = {"/bin/sh", "-c", script}, .log = "", .environment = {{"WORD", "7"}}, .nice = 0});
    EXPECT_TRUE(process.ok());
    return process->Wait(absl::Seconds(20)).value_or(-1);
  };
  EXPECT_EQ(run("exit $WORD"), 7);
  EXPECT_EQ(run("kill -9 $$"), 137);
  EXPECT_TRUE(absl::IsNotFound(
      Process::Start({.command = {"/no/such/binary"}, .log = "", .environment = {}, .nice = 0}).status()));
  EXPECT_EQ(*Capture({"/bin/echo", "hello"}), "hello\n");
  EXPECT_THAT(std::string(Capture({"/bin/sh", "-c", "echo broken; exit 3"}).status().message()),
              HasSubstr("broken"));
}

TEST(Process, CapturesWholeOutputsAndKeepsComplaintsApart) {
  // More than a pipe holds, on both at once.
  const auto both = Capture({"/bin/sh", "-c",
                             "i=0; while [ $i -lt 3000 ]; do echo out-$i-0123456789012345678901234567890; "
                             "echo err-$i-0123456789012345678901234567890 >&2; i=$((i+1)); done"});
  ASSERT_TRUE(both.ok()) << both.status();
  EXPECT_THAT(*both, HasSubstr("out-2999"));
  EXPECT_THAT(*both, Not(HasSubstr("err")));
  const absl::Status failed = Capture({"/bin/sh", "-c", "echo a; echo b; echo why >&2; exit 3"}).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(failed));
  EXPECT_THAT(std::string(failed.message()), ::testing::AllOf(HasSubstr("exit code 3"), HasSubstr("why")));
  EXPECT_TRUE(absl::IsDeadlineExceeded(Capture({"/bin/sleep", "100"}, absl::Milliseconds(50)).status()));
  EXPECT_EQ(LastLinesOf("a\nb\nc\n\n", 2), "b\nc\n\n");
  EXPECT_EQ(LastLinesOf("a", 2), "a");
}

TEST(Process, ALogsEndHoldsAllOfTheLastMessage) {
  const std::string log = absl::StrCat(::testing::TempDir(), "/lvrpo-log-", getpid());
  const auto end = [&](const std::string& text) {
    EXPECT_TRUE(WriteFileAtomic(log, text).ok());
    return LastMessage(log, 2);
  };
  const std::string before = "lvrpo-evaluate: 60 of 200 images\n12:00 info\n";
  EXPECT_EQ(end(before + "lvrpo-evaluate: p:3: one\np:4: two\np:9: three\n"),
            "lvrpo-evaluate: p:3: one\np:4: two\np:9: three\n");
  EXPECT_EQ(end("lvrpo-evaluate: p:3: one\np:4: two\np:9: three"),
            "lvrpo-evaluate: p:3: one\np:4: two\np:9: three");
  EXPECT_EQ(end(before + "lvrpo-evaluate: one\n"), "12:00 info\nlvrpo-evaluate: one\n");
  EXPECT_EQ(end("a\nb\nc\n"), "b\nc\n");
  std::string many = "lvrpo-evaluate: first";
  for (int i = 0; i < 40; ++i) absl::StrAppend(&many, "\nline ", i);
  EXPECT_EQ(LastLinesOf(many, 25), end(many));
  EXPECT_EQ(end(""), "");
  RemoveFile(log).IgnoreError();
  EXPECT_EQ(LastMessage(log, 2), "");
}

}  // namespace
}  // namespace lvrpo
