#include "cli/report/replica_plan.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/temporary_folder.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;

nlohmann::json Step(double update, double rollout, double reward) {
  return {{"seconds_update", update},        {"seconds_load", .5},
          {"seconds_publish", .5},           {"seconds_wait", 3},
          {"seconds_rollout_busy", rollout}, {"seconds_reward_busy", reward}};
}

TEST(PlanReplicas, KeepsTheLearnerBusy) {
  std::vector<nlohmann::json> steps(5, Step(1000, 1, 1));  // the first steps are warm-up
  steps.insert(steps.end(), 20, Step(9, 32, 3));
  const absl::StatusOr<ReplicaPlan> plan = PlanReplicas(steps);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->steps, 20);
  EXPECT_EQ(plan->learner_seconds, 10);
  EXPECT_EQ(plan->rollout, 4);  // 3.2 / .8
  EXPECT_EQ(plan->reward, 1);   // .3 / .7
  EXPECT_THAT(FormatReplicaPlan(*plan), HasSubstr("rollout workers              4\n"));
  EXPECT_EQ(ReplicaPlanJson(*plan)["rollout_workers"], 4);
}

TEST(PlanReplicas, OfTheNewestSteps) {
  std::vector<nlohmann::json> steps(1000, Step(9, 320, 3));
  steps.insert(steps.end(), 100, Step(9, 16, 70));
  EXPECT_EQ(PlanReplicas(steps)->rollout, 2);
  EXPECT_EQ(PlanReplicas(steps)->reward, 10);
}

TEST(PlanReplicas, NeedsFiguresThatThePoolsLeave) {
  EXPECT_TRUE(absl::IsNotFound(PlanReplicas({}).status()));
  EXPECT_TRUE(absl::IsNotFound(
      PlanReplicas({nullptr, 3, {{"seconds_update", "x"}}, {{"seconds_update", 1}}}).status()));
  const TemporaryFolder folder;
  EXPECT_TRUE(absl::IsNotFound(ShowReplicas(folder.path(), false)));
}

}  // namespace
}  // namespace lvrpo
