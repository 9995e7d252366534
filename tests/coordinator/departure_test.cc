#include "coordinator/state/departure.h"

#include "gtest/gtest.h"

namespace lvrpo {
namespace {

TEST(Departure, ASignalMeansThatTheRunGoesOn) {
  const absl::Duration moment = absl::Milliseconds(100), long_time = absl::Minutes(1);
  struct {
    const char* what;
    DepartureFacts facts;
    NextStep next;
  } cases[] = {
      {"the run goes on", {}, NextStep::kServe},
      {"nobody has joined yet", {.alone = true}, NextStep::kServe},
      {"told a moment ago: the learner may have been, too",
       {.told = true, .told_for = moment},
       NextStep::kServe},
      {"told", {.told = true, .told_for = absl::Seconds(1)}, NextStep::kLeave},
      {"told, with nobody there",
       {.told = true, .told_for = absl::Seconds(1), .alone = true},
       NextStep::kLeave},
      {"told, and to stay after the end",
       {.told = true, .told_for = absl::Seconds(1), .stays = true},
       NextStep::kLeave},
      {"told, as the learner was",
       {.told = true, .told_for = absl::Seconds(20), .learner_leaves = true},
       NextStep::kServe},
      {"the learner does not get done",
       {.told = true, .told_for = long_time, .learner_leaves = true},
       NextStep::kLeave},
      {"the parent process has ended", {.told = true, .orphaned = true}, NextStep::kDrain},
      {"it drains then", {.told = true, .orphaned = true, .draining = true}, NextStep::kServe},
      {"drains", {.draining = true}, NextStep::kServe},
      {"told while it drains",
       {.told = true, .told_for = absl::Seconds(1), .draining = true},
       NextStep::kServe},
      {"drained", {.draining = true, .alone = true}, NextStep::kEnd},
      {"drained, to stay", {.draining = true, .alone = true, .stays = true}, NextStep::kRest},
      {"drained, stayed and told",
       {.told = true, .draining = true, .alone = true, .stays = true},
       NextStep::kEnd},
      {"somebody does not leave", {.draining = true, .overdue = true}, NextStep::kEnd},
      {"somebody does not leave, to stay",
       {.draining = true, .overdue = true, .stays = true},
       NextStep::kRest},
      {"finished", {.finished = true}, NextStep::kServe},
      {"told when it has finished: members hear of that",
       {.told = true, .told_for = moment, .finished = true},
       NextStep::kServe},
      {"somebody does not hear it", {.told = true, .told_for = long_time, .finished = true}, NextStep::kEnd},
      {"finished and left", {.finished = true, .alone = true}, NextStep::kEnd},
      {"finished and left, to stay", {.finished = true, .alone = true, .stays = true}, NextStep::kRest},
      {"told at rest", {.told = true, .finished = true, .alone = true, .stays = true}, NextStep::kEnd},
  };
  for (auto& c : cases) {
    c.facts.grace = absl::Seconds(30);
    c.facts.hearing = absl::Seconds(1);
    EXPECT_EQ(NextStepOf(c.facts), c.next) << c.what;
  }
}

}  // namespace
}  // namespace lvrpo
