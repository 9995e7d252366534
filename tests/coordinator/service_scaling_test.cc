#include <limits>

#include "tests/coordinator/service_fixture.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;

using ScalingTest = StartedServiceTest;

TEST_F(ScalingTest, CountsWhatIsWantedAndInFlight) {
  service_->Tick();
  EXPECT_THAT(metrics_.Render(), HasSubstr("lvrpo_coordinator_groups_wanted 1\n"));
  Lease(worker_, 0);
  v1::HeartbeatRequest beat;
  *beat.mutable_fence() = Join("reward-0", v1::ROLE_REWARD_SERVER, "r:1");
  beat.set_load(2);
  v1::HeartbeatResponse response;
  ASSERT_TRUE(service_->Heartbeat(nullptr, &beat, &response).ok());
  service_->Tick();
  const std::string metrics = metrics_.Render();
  EXPECT_THAT(metrics, HasSubstr("lvrpo_coordinator_groups_wanted 0\n"));
  EXPECT_THAT(metrics, HasSubstr("lvrpo_coordinator_pool_in_flight{pool=\"rollout\"} 1\n"));
  EXPECT_THAT(metrics, HasSubstr("lvrpo_coordinator_pool_in_flight{pool=\"reward\"} 2\n"));
  EXPECT_THAT(metrics, HasSubstr("lvrpo_coordinator_pool_replicas_wanted{pool=\"rollout\"} 1\n"));
  EXPECT_EQ(service_->WantedSizes()->reward, 1);
}

TEST_F(ScalingTest, ALoadThatCannotBeTrueIsBounded) {
  v1::HeartbeatRequest beat;
  *beat.mutable_fence() = Join("reward-0", v1::ROLE_REWARD_SERVER, "r:1");
  v1::HeartbeatResponse response;
  for (const auto& [load, counted] : std::map<double, std::string>{{-3, "0"}, {1e300, "10000"}}) {
    beat.set_load(load);
    ASSERT_TRUE(service_->Heartbeat(nullptr, &beat, &response).ok());
    service_->Tick();
    EXPECT_THAT(metrics_.Render(), HasSubstr("pool_in_flight{pool=\"reward\"} " + counted + "\n"));
  }
  beat.set_load(std::numeric_limits<double>::quiet_NaN());
  (void)service_->Heartbeat(nullptr, &beat, &response);
  service_->Tick();
  EXPECT_THAT(metrics_.Render(), HasSubstr("pool_in_flight{pool=\"reward\"} 0\n"));
}

TEST_F(ScalingTest, AStepSaysWhatThePoolsDidForIt) {
  service_->Tick();
  const v1::Lease lease = Lease(worker_, 0).lease();
  for (int second = 0; second < 4; ++second) {
    service_->Tick();
    clock_.Advance(absl::Seconds(1));
  }
  service_->Tick();
  v1::SubmitGroupResponse submitted;
  ASSERT_TRUE(Submit(worker_, lease, &submitted).ok());
  Assign(learner_);
  ASSERT_TRUE(Commit(learner_, 0, lease.id().ordinal()).ok());
  EXPECT_EQ(Status().last_metrics().at("seconds_rollout_busy"), 4);
}

TEST_F(ScalingTest, ADrainingRunWantsNobody) {
  service_->Tick();
  EXPECT_EQ(service_->WantedSizes()->rollout, 1);
  service_->StartDraining("test");
  service_->Tick();
  EXPECT_EQ(service_->WantedSizes()->rollout, 0);
  EXPECT_EQ(service_->WantedSizes()->reward, 0);
}

}  // namespace
}  // namespace lvrpo
