#include "coordinator/state/blockage.h"

#include <set>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace lvrpo {
namespace {

using Kind = Blocker::Kind;

const absl::Time kTime = absl::FromUnixSeconds(1000);

Blocker Complaint(const std::string& member, v1::Obstacle obstacle) {
  return {.kind = Kind::kComplaint, .member = member, .detail = "its words", .obstacle = obstacle};
}

TEST(Blockage, SpeaksOnceWhenItLastsAndWhenItIsOver) {
  Blockage blockage;
  const Blocker disk = Complaint("learner-0", v1::OBSTACLE_DISK), lease{.kind = Kind::kLease, .member = "w0"};
  struct {
    int second;
    Blocker now;
    const char* says;
    const char* label;
    int lasted;
  } steps[] = {
      {0, {}, "", "", 0},
      {1, lease, "", "lease", 0},
      {90, lease, "", "lease", 89},  // the watchdog's business
      {100, disk, "", "disk", 0},
      {104, disk, "", "disk", 4},
      {105, disk, "the run waits for learner-0: its words, for 5s now", "disk", 5},
      {200, disk, "", "disk", 100},
      {210, {}, "the run waits no longer for learner-0: its words (after 1m50s)", "", 0},
      {220, Complaint("w0", v1::OBSTACLE_SCORES), "", "scores", 0},
      {224, Complaint("w1", v1::OBSTACLE_SCORES), "", "scores", 4},
      {225, Complaint("w1", v1::OBSTACLE_SCORES), "the run waits for w1: its words, for 5s now", "scores", 5},
      {226,
       {.kind = Kind::kJoin, .role = v1::ROLE_LEARNER},
       "the run waits no longer for w1: its words (after 6s)",
       "no_learner",
       0},
  };
  for (const auto& step : steps) {
    const absl::Time now = kTime + absl::Seconds(step.second);
    EXPECT_EQ(blockage.Note(step.now, now), step.says) << step.second;
    EXPECT_EQ(blockage.label(), step.label) << step.second;
    EXPECT_EQ(blockage.Lasted(now), absl::Seconds(step.lasted)) << step.second;
  }
}

// The metric has all of them from the start.
TEST(Blockage, EachKindHasALabelThatIsListed) {
  const std::vector<std::string> list = BlockerLabels();
  const std::set<std::string> labels(list.begin(), list.end());
  EXPECT_EQ(labels.size(), list.size());
  for (const Kind kind :
       {Kind::kCoordinator, Kind::kRanks, Kind::kStart, Kind::kWeights, Kind::kLate, Kind::kStep,
        Kind::kLastCheckpoint, Kind::kTraining, Kind::kSlowRank, Kind::kComplaint, Kind::kUnscorable,
        Kind::kFlatRewards, Kind::kRetired, Kind::kLease, Kind::kGroups})
    EXPECT_THAT(labels, ::testing::Contains(LabelOf({.kind = kind}))) << static_cast<int>(kind);
  for (const v1::Role role : {v1::ROLE_LEARNER, v1::ROLE_ROLLOUT_WORKER, v1::ROLE_REWARD_SERVER})
    EXPECT_THAT(labels, ::testing::Contains(LabelOf({.kind = Kind::kJoin, .role = role})));
  for (const v1::Obstacle obstacle : {v1::OBSTACLE_DISK, v1::OBSTACLE_SCORES, v1::OBSTACLE_LEARNER_INBOX,
                                      v1::OBSTACLE_OBJECT_STORE, v1::OBSTACLE_SAMPLING, v1::OBSTACLE_WEIGHTS})
    EXPECT_THAT(labels, ::testing::Contains(LabelOf(Complaint("m", obstacle))));
  for (const Kind kind : {Kind::kNothing, Kind::kFinished, Kind::kDraining})
    EXPECT_EQ(LabelOf({.kind = kind}), "");
}

}  // namespace
}  // namespace lvrpo
