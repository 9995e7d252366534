#include "learner/checkpoints/kept_checkpoints.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace lvrpo {
namespace {

TEST(KeptCheckpoints, IsATable) {
  const CheckpointRewards rewards = {{0, std::nullopt}, {5, .9}, {10, .2}, {15, .7}, {20, .7}, {25, .1}};
  struct Case {
    CheckpointRewards recorded;
    int last, every, best;
    std::set<int64_t> kept;
  };
  for (const Case& c : std::vector<Case>{{rewards, 1, 0, 0, {25}},
                                         {rewards, 2, 0, 0, {20, 25}},
                                         {rewards, 0, 0, 0, {25}},  // the newest always stays
                                         {rewards, 9, 0, 0, {0, 5, 10, 15, 20, 25}},
                                         {rewards, 1, 10, 0, {0, 10, 20, 25}},
                                         {rewards, 1, 0, 1, {5, 25}},
                                         {rewards, 1, 0, 2, {5, 20, 25}},  // of equal ones the later
                                         {rewards, 1, 0, 99, {5, 10, 15, 20, 25}},
                                         {rewards, 2, 15, 1, {0, 5, 15, 20, 25}},
                                         {{}, 2, 1, 1, {}}}) {
    v1::KeepConfig keep;
    keep.set_last(c.last);
    keep.set_every(c.every);
    keep.set_best(c.best);
    EXPECT_EQ(KeptCheckpoints(c.recorded, keep), c.kept) << keep.ShortDebugString();
  }
}

}  // namespace
}  // namespace lvrpo
