// Whole runs in one process, with deaths and lost messages at every place: each must finish with records that
// the audit finds sound, and with the very weights of the undisturbed run.

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/random.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "spdlog/spdlog.h"
#include "tests/testing/in_process_cluster.h"

namespace lvrpo {
namespace {

using Outcome = InProcessCluster::Outcome;

constexpr int kTwoRanks = 2;

Outcome RunWith(const Faults& faults, uint64_t order_seed = 1, int ranks = 1) {
  spdlog::set_level(spdlog::level::off);
  return InProcessCluster(order_seed, faults, ranks).Run();
}

// By the number of the learner's ranks.
const Outcome& Undisturbed(int ranks = 1) {
  static const auto* one = new Outcome(RunWith({}));
  static const auto* two = new Outcome(RunWith({}, 1, kTwoRanks));
  return ranks == 1 ? *one : *two;
}

int64_t Messages(int ranks = 1) { return static_cast<int64_t>(Undisturbed(ranks).sent.size()); }

std::string Describe(const Faults& faults, int ranks) {
  std::string words;
  const auto place = [ranks](int64_t message) {
    if (message >= Messages(ranks)) return absl::StrCat("message ", message);
    const auto& sent = Undisturbed(ranks).sent[static_cast<size_t>(message)];
    return absl::StrCat("message ", message, " (", sent.what, " of ", sent.from, " to ", sent.to, ")");
  };
  for (const KillAt& kill : faults.kills) {
    absl::StrAppend(&words, kill.role, " dies ", kill.after ? "after " : "before ", place(kill.message),
                    " for ", absl::FormatDuration(kill.down), "; ");
  }
  for (const Partition& partition : faults.partitions) {
    absl::StrAppend(&words, partition.answers_only ? "answers of " : "messages to ", partition.role,
                    " are lost from ", place(partition.message), " for ",
                    absl::FormatDuration(partition.lasts), "; ");
  }
  for (const int64_t message : faults.drains)
    absl::StrAppend(&words, "the run is drained at ", place(message), "; ");
  return words;
}

// What outages of three seconds may cost: far less than the limit of a lease.
constexpr absl::Duration kSoon = absl::Seconds(10);

// The run survives `faults`. Says so in words when it does not.
bool Survives(const Faults& faults, int ranks = 1) {
  const Outcome outcome = RunWith(faults, 1, ranks);
  EXPECT_EQ(outcome.trouble, "") << Describe(faults, ranks);
  EXPECT_EQ(outcome.digest, Undisturbed().digest) << Describe(faults, ranks);
  EXPECT_LT(outcome.took, kSoon) << Describe(faults, ranks);
  return outcome.trouble.empty() && outcome.digest == Undisturbed().digest && outcome.took < kSoon;
}

TEST(Cluster, AnUndisturbedRunFinishes) {
  const Outcome& outcome = Undisturbed();
  EXPECT_EQ(outcome.trouble, "");
  EXPECT_LT(outcome.took, absl::Seconds(5));
  std::set<std::string> kinds;
  for (const ClusterMessages::Sent& sent : outcome.sent) kinds.insert(sent.what);
  EXPECT_THAT(kinds,
              ::testing::IsSupersetOf(
                  {"RegisterRequest", "HeartbeatRequest", "LeaseGroupRequest", "Score", "Upload",
                   "SubmitGroupRequest", "StreamWeights", "AcknowledgeVersionRequest", "StartTrainingRequest",
                   "AssignStepRequest", "CommitStepRequest", "RecordCheckpointRequest", "LeaveRequest"}));
}

TEST(Cluster, TheSameSeedGivesTheSameMessages) {
  const Outcome again = RunWith({});
  ASSERT_EQ(again.sent.size(), Undisturbed().sent.size());
  for (size_t i = 0; i < again.sent.size(); ++i) {
    EXPECT_EQ(again.sent[i].from, Undisturbed().sent[i].from) << i;
    EXPECT_EQ(again.sent[i].what, Undisturbed().sent[i].what) << i;
  }
  EXPECT_EQ(again.took, Undisturbed().took);
}

TEST(Cluster, AStrictRunDoesNotDependOnWhoseTurnItIs) {
  for (uint64_t order_seed = 2; order_seed < 12; ++order_seed) {
    const Outcome outcome = RunWith({}, order_seed);
    EXPECT_EQ(outcome.trouble, "") << order_seed;
    EXPECT_EQ(outcome.digest, Undisturbed().digest) << order_seed;
  }
}

// The learner dies when one worker has the weights of its first step, and so does the other worker: its next
// process gets them from the first, and the run goes on.
TEST(Cluster, AWorkerServesTheWeightsWhileTheLearnerIsGone) {
  using Sent = ClusterMessages::Sent;
  const std::vector<Sent>& sent = Undisturbed().sent;
  const auto commit =
      std::find_if(sent.begin(), sent.end(), [](const Sent& m) { return m.what == "CommitStepRequest"; });
  const auto has_it =
      std::find_if(commit, sent.end(), [](const Sent& m) { return m.what == "AcknowledgeVersionRequest"; });
  ASSERT_NE(has_it, sent.end());
  const std::string holder = has_it->from, other = holder == "rollout-0" ? "rollout-1" : "rollout-0";
  const int64_t message = has_it - sent.begin();
  const Faults faults = {
      .kills = {{.message = message, .after = true, .role = "learner-0", .down = absl::Seconds(5)},
                {.message = message, .after = true, .role = other}}};
  const Outcome outcome = RunWith(faults);
  EXPECT_EQ(outcome.trouble, "") << Describe(faults, 1);
  EXPECT_EQ(outcome.digest, Undisturbed().digest);
  const auto killed = outcome.sent.begin() + message;
  const auto back =
      std::find_if(killed, outcome.sent.end(), [](const Sent& m) { return m.from == "learner-0"; });
  EXPECT_TRUE(std::any_of(killed, back, [&](const Sent& m) {
    return m.what == "StreamWeights" && m.from == other && m.to == holder;
  }));
}

// After a message only its sender and receiver can tell from before the next one.
TEST(Cluster, AnyRoleMayDieAtAnyMessage) {
  int broken = 0;
  for (int64_t message = 0; message < Messages() && broken < 5; ++message) {
    const ClusterMessages::Sent& sent = Undisturbed().sent[static_cast<size_t>(message)];
    for (const std::string& role : InProcessCluster::Roles()) {
      broken += !Survives({.kills = {{.message = message, .after = false, .role = role}}});
      if (role == sent.from || role == sent.to)
        broken += !Survives({.kills = {{.message = message, .after = true, .role = role}}});
    }
  }
}

// A lease or an answer that nobody knows of must not be waited for.
TEST(Cluster, AnyAnswerOfTheCoordinatorMayBeLost) {
  int broken = 0;
  for (int64_t message = 0; message < Messages() && broken < 5; ++message) {
    broken += !Survives({.partitions = {{.message = message,
                                         .role = kCoordinator,
                                         .lasts = absl::Milliseconds(50),
                                         .answers_only = true}}});
  }
}

// An operator ends the run, and starts it again when everybody has left.
TEST(Cluster, ARunMayBeDrainedAtAnyMessageAndGoOn) {
  int broken = 0;
  for (int64_t message = 0; message < Messages() && broken < 5; ++message)
    broken += !Survives({.drains = {message}});
}

TEST(Cluster, TwoRolesMayDie) {
  Random random(7);
  const std::vector<std::string> roles = InProcessCluster::Roles();
  const absl::Duration downs[] = {absl::ZeroDuration(), absl::Milliseconds(300), absl::Seconds(3)};
  const auto kill = [&]() -> KillAt {
    return {.message = random.Below(static_cast<int>(Messages())),
            .after = random.Chance(0.5),
            .role = roles[static_cast<size_t>(random.Below(static_cast<int>(roles.size())))],
            .down = downs[random.Below(3)]};
  };
  int broken = 0;
  for (int i = 0; i < 50 && broken < 5; ++i) {
    const KillAt first = kill();
    broken += !Survives({.kills = {first, kill()}});
  }
}

TEST(Cluster, MessagesToARoleMayBeLostForAWhile) {
  int broken = 0;
  for (const absl::Duration lasts : {absl::Milliseconds(50), absl::Milliseconds(500), absl::Seconds(3)}) {
    for (const bool answers_only : {false, true}) {
      for (const std::string& role : InProcessCluster::Roles()) {
        for (int64_t message = 0; message < Messages() && broken < 5; message += 12) {
          broken += !Survives(
              {.partitions = {
                   {.message = message, .role = role, .lasts = lasts, .answers_only = answers_only}}});
        }
      }
    }
  }
}

// The fake policy's weights do not depend on who has which group, as with learner.ordered_sums.
TEST(ClusterRanks, TwoRanksTrainWhatOneDoes) {
  const Outcome& outcome = Undisturbed(kTwoRanks);
  EXPECT_EQ(outcome.trouble, "");
  EXPECT_EQ(outcome.digest, Undisturbed().digest);
  std::set<std::string> uploaded_to;
  for (const ClusterMessages::Sent& sent : outcome.sent) {
    if (sent.what == "Upload") uploaded_to.insert(sent.to);
  }
  EXPECT_THAT(uploaded_to, ::testing::ElementsAre("learner-0", "learner-1"));
  for (uint64_t order_seed = 2; order_seed < 8; ++order_seed) {
    const Outcome other = RunWith({}, order_seed, kTwoRanks);
    EXPECT_EQ(other.trouble, "") << order_seed;
    EXPECT_EQ(other.digest, outcome.digest) << order_seed;
  }
}

TEST(ClusterRanks, ARankOrTheCoordinatorMayDieAtAnyMessage) {
  int broken = 0;
  for (int64_t message = 0; message < Messages(kTwoRanks) && broken < 5; ++message) {
    const ClusterMessages::Sent& sent = Undisturbed(kTwoRanks).sent[static_cast<size_t>(message)];
    for (const std::string& role :
         {std::string(kCoordinator), std::string("learner-0"), std::string("learner-1")}) {
      broken += !Survives({.kills = {{.message = message, .after = false, .role = role}}}, kTwoRanks);
      if (role == sent.from || role == sent.to)
        broken += !Survives({.kills = {{.message = message, .after = true, .role = role}}}, kTwoRanks);
    }
  }
}

TEST(ClusterRanks, BothRanksMayDie) {
  Random random(11);
  const absl::Duration downs[] = {absl::ZeroDuration(), absl::Milliseconds(300), absl::Seconds(3)};
  const auto kill = [&](const std::string& role) -> KillAt {
    return {.message = random.Below(static_cast<int>(Messages(kTwoRanks))),
            .after = random.Chance(0.5),
            .role = role,
            .down = downs[random.Below(3)]};
  };
  int broken = 0;
  for (int i = 0; i < 50 && broken < 5; ++i)
    broken += !Survives({.kills = {kill("learner-0"), kill("learner-1")}}, kTwoRanks);
}

TEST(ClusterRanks, MessagesToARankMayBeLostForAWhile) {
  int broken = 0;
  for (const absl::Duration lasts : {absl::Milliseconds(50), absl::Milliseconds(500), absl::Seconds(3)}) {
    for (const bool answers_only : {false, true}) {
      for (const char* role : {"learner-0", "learner-1"}) {
        for (int64_t message = 0; message < Messages(kTwoRanks) && broken < 5; message += 12) {
          broken += !Survives(
              {.partitions =
                   {{.message = message, .role = role, .lasts = lasts, .answers_only = answers_only}}},
              kTwoRanks);
        }
      }
    }
  }
}

}  // namespace
}  // namespace lvrpo
