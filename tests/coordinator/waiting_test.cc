#include "coordinator/state/waiting.h"

#include <functional>

#include "gtest/gtest.h"

namespace lvrpo {
namespace {

using Kind = Blocker::Kind;

const absl::Time kTime = absl::FromUnixSeconds(1000);

TEST(Waiting, TheFirstThatIsMissingIsNamed) {
  const absl::Time since = kTime - absl::Seconds(30), progress = kTime - absl::Seconds(60);
  struct {
    const char* what;
    std::function<void(RunFacts&)> change;
    Kind kind;
    const char* words;
    absl::Time since;
  } cases[] = {
      {"a group is out", [](RunFacts&) {}, Kind::kLease, "w0 (ordinal 7; 1 of 2 groups)", since},
      {"the result is safe", [](RunFacts& f) { f.saved = true; }, Kind::kNothing, "", absl::InfinitePast()},
      {"fatal", [](RunFacts& f) { f.fatal = "damaged"; }, Kind::kCoordinator, "the coordinator: damaged",
       absl::InfinitePast()},
      {"degraded",
       [&](RunFacts& f) {
         f.degraded = "disk full";
         f.degraded_since = since;
       },
       Kind::kCoordinator, "the coordinator: degraded: disk full; it tries again by itself", since},
      {"no learner", [](RunFacts& f) { f.learners.members = 0; }, Kind::kJoin, "a learner to join", progress},
      {"a rank of the learner is missing",
       [](RunFacts& f) { f.ranks = {.have = 1, .total = 2, .missing = "rank 1 is not"}; }, Kind::kRanks,
       "learner ranks: 1 of 2 are there, rank 1 is not", progress},
      {"the learner complains",
       [&](RunFacts& f) {
         f.learners = {
             .members = 1, .complainer = "l", .complaint = "its disk: full", .complains_since = since};
       },
       Kind::kComplaint, "l: its disk: full", since},
      {"the object store is away: that holds nothing up",
       [&](RunFacts& f) {
         f.learners = {.members = 1,
                       .complainer = "l",
                       .complaint = "step_000005 is not in the object store",
                       .complains_since = since,
                       .obstacle = v1::OBSTACLE_OBJECT_STORE};
       },
       Kind::kLease, "w0 (ordinal 7; 1 of 2 groups)", since},
      {"the object store is away at the end",
       [&](RunFacts& f) {
         f.learners.complaint = "step_000005 is not in the object store";
         f.learners.obstacle = v1::OBSTACLE_OBJECT_STORE;
         f.finished = true;
       },
       Kind::kLastCheckpoint,
       "the learner to save the last checkpoint: step_000005 is not in the object store", progress},
      {"one rank of the learner is slow",
       [&](RunFacts& f) {
         f.slow_rank = {.waiting = 1, .member = "learner-1", .since = since};
         f.assigned = 2;
       },
       Kind::kSlowRank, "learner-1, a rank of the learner that 1 other waits for", since},
      {"ranks do not hear each other",
       [&](RunFacts& f) {
         f.slow_rank = {.waiting = 2, .member = "", .since = since};
         f.assigned = 2;
       },
       Kind::kSlowRank, "learner ranks: all of them wait for each other", since},
      {"the learner's step takes long",
       [](RunFacts& f) {
         f.assigned = 2;
         f.step = 12;
         f.step_is_late = true;
       },
       Kind::kTraining, "the learner to finish step 12, whose groups it has", progress},
      {"the learner does not take the groups that are there",
       [](RunFacts& f) {
         f.complete = 2;
         f.step_is_late = true;
       },
       Kind::kTraining, "the learner to finish step 0, whose groups it has", progress},
      {"the learner loads", [](RunFacts& f) { f.started = false; }, Kind::kStart,
       "the learner to load its weights", progress},
      {"no worker", [](RunFacts& f) { f.workers.members = 0; }, Kind::kJoin, "a rollout worker to join",
       progress},
      {"no reward server", [](RunFacts& f) { f.reward_servers.members = 0; }, Kind::kJoin,
       "a reward server to join", progress},
      {"all steps are taken", [](RunFacts& f) { f.finished = true; }, Kind::kLastCheckpoint,
       "the learner to save the last checkpoint", progress},
      {"the learner works", [](RunFacts& f) { f.assigned = 2; }, Kind::kNothing, "", absl::InfinitePast()},
      {"a step's groups are there", [](RunFacts& f) { f.complete = 2; }, Kind::kNothing, "",
       absl::InfinitePast()},
      {"a worker complains",
       [&](RunFacts& f) {
         f.workers = {.members = 2, .complainer = "w1", .complaint = "no memory", .complains_since = since};
       },
       Kind::kComplaint, "w1: no memory", since},
      {"nothing can be scored",
       [](RunFacts& f) {
         f.unscorable_in_a_row = 3;
         f.unscorable_detail = "401";
       },
       Kind::kUnscorable, "scores: 3 groups in a row could not be scored: 401", progress},
      {"few were retired", [](RunFacts& f) { f.retired_in_a_row = 8; }, Kind::kLease,
       "w0 (ordinal 7; 1 of 2 groups)", since},
      {"many were retired",
       [](RunFacts& f) {
         f.retired_in_a_row = 9;
         f.newest_groups = 10;
         f.newest_flat = 8;
       },
       Kind::kRetired,
       "groups that can be trained on: 9 were retired since the last step (see groups retired by reason)",
       progress},
      {"nearly all rewards are constant",
       [](RunFacts& f) {
         f.retired_in_a_row = 9;
         f.newest_groups = 10;
         f.newest_flat = 9;
       },
       Kind::kFlatRewards,
       "groups whose samples differ in reward: 9 were retired since the last step, and of the newest 10 "
       "groups 9 "
       "had the same reward for all samples (zero_variance): nothing can be learned from these; is the task "
       "too "
       "easy or too hard, or the reward constant?",
       progress},
      {"nobody holds a group", [](RunFacts& f) { f.held_ordinal = -1; }, Kind::kGroups,
       "rollout workers (1 of 2 groups)", progress},
  };
  for (const auto& c : cases) {
    RunFacts facts;
    facts.last_progress = progress;
    facts.learners.members = facts.workers.members = facts.reward_servers.members = 1;
    facts.started = true;
    facts.complete = 1;
    facts.groups_per_step = 2;
    facts.holder = "w0";
    facts.held_ordinal = 7;
    facts.held_since = since;
    c.change(facts);
    const Blocker blocker = WaitingFor(facts);
    EXPECT_EQ(blocker.kind, c.kind) << c.what;
    EXPECT_EQ(InWords(blocker), c.words) << c.what;
    EXPECT_EQ(blocker.since, c.since) << c.what;
  }
}

TEST(Waiting, SaysForHowLong) {
  const Blocker lease{.kind = Kind::kLease,
                      .member = "w0",
                      .ordinal = 7,
                      .since = kTime - absl::Seconds(90),
                      .have = 1,
                      .total = 2};
  EXPECT_EQ(InWords(lease, kTime), "w0 (ordinal 7; 1 of 2 groups), for 1m30s now");
  EXPECT_EQ(InWords({.kind = Kind::kStart}, kTime), "the learner to load its weights");
  EXPECT_EQ(InWords({}, kTime), "");
}

TEST(Waiting, ARunIsSavedWithItsLastCheckpoint) {
  struct {
    int64_t committed, checkpoint;
    bool saved;
  } cases[] = {{0, -1, false}, {3, -1, false}, {3, 2, false}, {2, 2, false}, {3, 3, true}};
  for (const auto& c : cases)
    EXPECT_EQ(IsSaved(c.committed, c.checkpoint, /*total_steps=*/3), c.saved) << c.committed << c.checkpoint;
}

TEST(Waiting, TheWatchdogSpeaksOnceWhenProgressIsOverdue) {
  struct {
    int idle;
    bool spoke, leaving, due;
  } cases[] = {{60, false, false, false},  // not longer than its patience
               {61, false, false, true},
               {61, true, false, false},
               {61, false, true, false}};
  for (const auto& c : cases) {
    EXPECT_EQ(WatchdogIsDue({.now = kTime,
                             .last_progress = kTime - absl::Seconds(c.idle),
                             .patience = absl::Minutes(1),
                             .spoke = c.spoke,
                             .leaving = c.leaving}),
              c.due)
        << c.idle << c.spoke << c.leaving;
  }
}

}  // namespace
}  // namespace lvrpo
