#include "absl/strings/str_cat.h"
#include "tests/coordinator/service_fixture.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;

// What a stalled run reports.
using WaitingTest = StartedServiceTest;

TEST_F(WaitingTest, NamesWhoHoldsTheGroup) {
  Lease(worker_, 0);
  EXPECT_EQ(Status().waiting_for(), "rollout-0 (ordinal 0; 0 of 1 groups)");
}

TEST_F(WaitingTest, NamesWhatAMemberComplainsOf) {
  struct {
    v1::Fence* member;
    const char* says;
    const char* waiting_for;
  } cases[] = {
      {&worker_, "scorer knowledge answers 401", "rollout-0: scorer knowledge answers 401"},
      {&worker_, "starting", "rollout workers (0 of 1 groups)"},
      {&worker_, "delivery of the last group", "rollout workers (0 of 1 groups)"},
      {&worker_, "", "rollout workers (0 of 1 groups)"},
      {&learner_, "disk full: cannot store trajectories", "learner-0: disk full: cannot store trajectories"},
  };
  for (const auto& c : cases) {
    ASSERT_TRUE(Beat(*c.member, c.says).ok());
    EXPECT_EQ(Status().waiting_for(), c.waiting_for) << c.says;
  }
}

// For as long as it lasts, and 0 for all others.
TEST_F(WaitingTest, TheMetricSaysWhatItWaitsForAndForHowLong) {
  const auto blocked = [](const char* on, int seconds) {
    return HasSubstr(absl::StrCat("lvrpo_coordinator_blocked_seconds{on=\"", on, "\"} ", seconds, "\n"));
  };
  const auto beat = [&](v1::Obstacle obstacle) {
    ASSERT_TRUE(Beat(learner_, obstacle == v1::OBSTACLE_UNSPECIFIED ? "" : "its disk: full", obstacle).ok());
    ASSERT_TRUE(Beat(worker_).ok());
    Join("reward-0", v1::ROLE_REWARD_SERVER, "r:1");
    service_->Tick();
  };
  beat(v1::OBSTACLE_DISK);
  EXPECT_THAT(metrics_.Render(), blocked("disk", 0));
  clock_.Advance(absl::Seconds(4));
  beat(v1::OBSTACLE_DISK);
  EXPECT_THAT(metrics_.Render(), blocked("disk", 4));
  EXPECT_THAT(metrics_.Render(), blocked("no_learner", 0));
  EXPECT_EQ(Status().blocked_on(), "disk");
  beat(v1::OBSTACLE_UNSPECIFIED);
  EXPECT_THAT(metrics_.Render(), blocked("disk", 0));
  // What a newer program may say.
  beat(static_cast<v1::Obstacle>(99));
  EXPECT_EQ(Status().blocked_on(), "member");
}

// Members repeat what they were told to wait for: that is not why the run is stalled.
TEST_F(WaitingTest, AnEchoIsNoComplaint) {
  const v1::AssignStepResponse assigned = Assign(learner_);
  ASSERT_FALSE(assigned.waiting_for().empty());
  ASSERT_TRUE(Beat(learner_, assigned.waiting_for()).ok());
  const v1::Lease lease = Lease(worker_, 0).lease();
  const v1::LeaseGroupResponse refused = Lease(worker_, 0);
  ASSERT_FALSE(refused.granted());
  ASSERT_TRUE(Beat(worker_, refused.waiting_for()).ok());
  EXPECT_EQ(Status().waiting_for(), "rollout-0 (ordinal 0; 0 of 1 groups)");
}

TEST_F(WaitingTest, TheWatchdogSpeaksWhenAllGroupsAreRetired) {
  for (int i = 0; i < 6; ++i) {
    ASSERT_TRUE(Return(worker_, Lease(worker_, 0).lease(), v1::RETURN_BAD_PROMPT, "no words").ok());
    clock_.Advance(absl::Seconds(4));
    ASSERT_TRUE(Beat(learner_).ok());
    ASSERT_TRUE(Beat(worker_).ok());
  }
  EXPECT_THAT(Status().waiting_for(), HasSubstr("6 were retired since the last step"));
  EXPECT_EQ(Status().seconds_since_progress(), 24);
  EXPECT_EQ(Status().groups_retired_by_reason().at("bad_prompt"), 6);
}

TEST_F(WaitingTest, SaysWhenRewardsAreConstant) {
  for (int i = 0; i < 20; ++i) {
    const v1::SubmitGroupRequest flat = SubmitOf(worker_, Lease(worker_, 0).lease(), /*spread=*/0);
    v1::SubmitGroupResponse response;
    ASSERT_TRUE(service_->SubmitGroup(nullptr, &flat, &response).ok());
    ASSERT_EQ(response.retired_reason(), v1::RETIRE_ZERO_VARIANCE);
  }
  EXPECT_THAT(Status().waiting_for(), HasSubstr("20 had the same reward for all samples (zero_variance)"));
}

TEST_F(WaitingTest, GroupsThatNothingCanScoreEndTheRunWithTheirWords) {
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(service_->fatal().ok());
    ASSERT_TRUE(
        Return(worker_, Lease(worker_, 0).lease(), v1::RETURN_UNSCORABLE, "knowledge: 401 wrong key").ok());
    if (i == 1) {
      EXPECT_THAT(Status().waiting_for(), HasSubstr("2 groups in a row could not be scored"));
    }
  }
  EXPECT_TRUE(absl::IsFailedPrecondition(service_->fatal()));
  EXPECT_THAT(std::string(service_->fatal().message()),
              HasSubstr("3 groups in a row could not be scored, the newest one by rollout-0: knowledge: 401 "
                        "wrong key"));
  EXPECT_EQ(Return(worker_, v1::Lease(), v1::RETURN_DRAIN).error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(WaitingTest, AGroupThatWasScoredBeginsTheCountAnew) {
  for (int i = 0; i < 2; ++i)
    ASSERT_TRUE(Return(worker_, Lease(worker_, 0).lease(), v1::RETURN_UNSCORABLE, "401").ok());
  TakeStep(learner_, worker_, 0);
  for (int i = 0; i < 2; ++i)
    ASSERT_TRUE(Return(worker_, Lease(worker_, 1).lease(), v1::RETURN_UNSCORABLE, "401").ok());
  EXPECT_TRUE(service_->fatal().ok());
}

TEST_F(WaitingTest, ASubmitThatIsRepeatedIsNoProgress) {
  const v1::Lease lease = Lease(worker_, 0).lease();
  v1::SubmitGroupResponse submitted;
  for (const int seconds : {0, 5}) {
    clock_.Advance(absl::Seconds(seconds));
    ASSERT_TRUE(Submit(worker_, lease, &submitted).ok());
    EXPECT_EQ(Status().seconds_since_progress(), seconds);
  }
  EXPECT_TRUE(submitted.repeated_submit());
}

TEST_F(WaitingTest, AComplaintIsAsOldAsItsFirstHeartbeat) {
  for (int second = 0; second <= 64; second += 4) {
    Join("reward-0", v1::ROLE_REWARD_SERVER, "r:1");
    for (const v1::Fence& fence : {learner_, worker_})
      ASSERT_TRUE(Beat(fence, fence.member_id() == "rollout-0" ? "no memory" : "").ok());
    service_->Tick();
    clock_.Advance(absl::Seconds(4));
  }
  EXPECT_EQ(store_->Events()->back().kind, "watchdog");
  EXPECT_THAT(store_->Events()->back().text, HasSubstr("rollout-0: no memory, for 1m4s now"));
}

}  // namespace
}  // namespace lvrpo
