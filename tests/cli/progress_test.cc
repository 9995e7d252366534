#include "cli/local/progress.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <functional>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;

TEST(Progress, TellsWhatAUserWantsToKnow) {
  ProgressInput input;
  input.status.set_step(30);
  input.status.set_total_steps(100);
  (*input.status.mutable_recent_reward_means())["reward"] = 0.5;
  (*input.status.mutable_recent_reward_means())["instruction"] = 0.25;
  input.status.set_waiting_for("rollout-1");
  input.status.mutable_heldout()->set_score(.412);
  input.samples_per_second = 63.7;
  input.seconds_left = 70;
  (*input.status.mutable_recent_reward_means())["my_scorer"] = 1;
  EXPECT_EQ(FormatProgress(input),
            "step 30/100  70 s left  waiting for rollout-1  reward 0.500 (instruction 0.25, my_scorer 1.00)  "
            "held-out 0.412  64 samples/s");
  input.status.mutable_heldout()->set_gain(-.1);
  EXPECT_THAT(FormatProgress(input), HasSubstr("  held-out -0.100  "));
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

TEST(Progress, TimeLeftAfterStepsWereAbandoned) {
  // A resumed learner goes back to its checkpoint, so that later lines hold earlier steps.
  EXPECT_EQ(SecondsLeft({{7, 14}, {8, 16}, {9, 18}, {5, 30}, {6, 32}}, 10, 32), 8);
  EXPECT_EQ(SecondsLeft({{9, 18}, {5, 30}}, 10, 30), std::nullopt);  // nothing says yet how fast it is now
  EXPECT_EQ(SecondsLeft({{1, 100}, {2, 50}, {3, 52}}, 10, 52), 14);  // the clock was set back
  EXPECT_EQ(SecondsLeft({{1, 2}, {2, 4}}, 10, -5), 16);              // before the newest step
  EXPECT_EQ(SecondsLeft({{11, 2}, {12, 4}}, 10, 4), 0);              // more than was asked
  EXPECT_EQ(SecondsLeft({{0, 0}, {0, 5}, {0, 10}}, 10, 10), std::nullopt);  // no step yet, looked at thrice
}

TEST(Progress, TimeLeftFollowsTheNewestSteps) {
  std::vector<StepTime> seen = {{0, 0}};
  const auto take = [&seen](int steps, double seconds) {
    for (int i = 0; i < steps; ++i) seen.push_back({seen.back().steps + 1, seen.back().seconds + seconds});
  };
  take(1000, 1);
  take(100, 5);  // text joined in
  EXPECT_EQ(SecondsLeft(seen, 1200, seen.back().seconds), 500);
}

TEST(Progress, NoTimeIsLeftAtTheEnd) {
  ProgressInput input;
  input.status.set_step(10);
  input.status.set_total_steps(10);
  input.seconds_left = 0;
  EXPECT_EQ(FormatProgress(input), "step 10/10");
}

TEST(Progress, DurationsRoundToTheirUnit) {
  EXPECT_EQ(FormatSeconds(0), "0 s");
  EXPECT_EQ(FormatSeconds(99.4), "99 s");
  EXPECT_EQ(FormatSeconds(99.7), "1 min 40 s");
  EXPECT_EQ(FormatSeconds(3599.4), "59 min 59 s");
  EXPECT_EQ(FormatSeconds(3599.6), "1 h 00 min");
  EXPECT_EQ(FormatSeconds(100 * 3600), "100 h 00 min");
}

TEST(ProgressPrinter, WritesEveryTenthStepToALogFile) {
  ::testing::internal::CaptureStderr();
  ProgressPrinter printer;
  for (const int64_t step : {0, 0, 1, 9, 10, 11, 19, 25, 34, 35})
    printer.Show("step " + std::to_string(step), step);
  printer.Say("lat\xe9");
  printer.Done();
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "step 0\nstep 10\nstep 25\nstep 35\nlat\xef\xbf\xbd\n");
}

// Everything that `use` prints to stderr while that is a terminal of `columns`.
std::string OnTerminal(unsigned short columns, const std::function<void(ProgressPrinter&)>& use) {
  const int terminal = posix_openpt(O_RDWR | O_NOCTTY);
  EXPECT_TRUE(grantpt(terminal) == 0 && unlockpt(terminal) == 0);
  const int line = open(ptsname(terminal), O_RDWR | O_NOCTTY);
  winsize size = {};
  size.ws_col = columns;
  EXPECT_EQ(ioctl(line, TIOCSWINSZ, &size), 0);
  termios raw = {};
  cfmakeraw(&raw);
  EXPECT_EQ(tcsetattr(line, TCSANOW, &raw), 0);
  const int before = dup(STDERR_FILENO);
  dup2(line, STDERR_FILENO);
  ProgressPrinter printer;
  use(printer);
  dup2(before, STDERR_FILENO);
  constexpr char kEnd = '\x1e';  // what was written comes in pieces of any size
  EXPECT_EQ(write(line, &kEnd, 1), 1);
  std::string printed;
  for (char byte = 0; read(terminal, &byte, 1) == 1 && byte != kEnd;) printed += byte;
  for (const int descriptor : {before, line, terminal}) close(descriptor);
  return printed;
}

TEST(ProgressPrinter, RewritesItsLineOnATerminal) {
  EXPECT_EQ(OnTerminal(80,
                       [](ProgressPrinter& printer) {
                         printer.Show("step 1/10  waiting", 1);
                         printer.Show("step 2/10", 2);
                         printer.Say("a role died");
                         printer.Show("step 3/10", 3);
                         printer.Done();
                         printer.Done();
                       }),
            "\rstep 1/10  waiting\rstep 2/10         \na role died\n\rstep 3/10\n");
}

TEST(ProgressPrinter, CutsLongLinesBetweenCharacters) {
  std::string accents, shown = "\r";
  for (int i = 0; i < 60; ++i) accents += "\xc3\xa9";
  for (int i = 0; i < 37; ++i) shown += "\xc3\xa9";
  EXPECT_EQ(OnTerminal(41, [&](ProgressPrinter& printer) { printer.Show(accents, 1); }), shown + "...");
}

}  // namespace
}  // namespace lvrpo
