// A learner of several processes, as the coordinator sees it.

#include "common/net/rpc.h"
#include "tests/coordinator/service_fixture.h"

namespace lvrpo {
namespace {

class RanksTest : public ServiceTest {
 protected:
  static v1::RegisterRequest RankRegistration(int rank, int ranks, const std::string& token) {
    v1::RegisterRequest request = Registration("learner-" + std::to_string(rank), v1::ROLE_LEARNER,
                                               "host:" + std::to_string(100 + rank));
    request.set_process(token);
    request.mutable_learner()->set_rank(rank);
    request.mutable_learner()->set_ranks(ranks);
    if (rank == 0) request.mutable_learner()->set_rendezvous("host:99");
    return request;
  }
  v1::Fence JoinRank(int rank, int ranks, const std::string& token) {
    v1::Fence fence;
    const grpc::Status status = Register(RankRegistration(rank, ranks, token), &fence);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return fence;
  }
  grpc::Status AssignStep(const v1::Fence& fence, const std::string& epoch,
                          v1::AssignStepResponse* response) {
    v1::AssignStepRequest request;
    *request.mutable_fence() = fence;
    request.set_learner_epoch(epoch);
    request.set_step(Status().step());
    return service_->AssignStep(nullptr, &request, response);
  }
  CoordinatorService::Options ServiceOptions() const override {
    CoordinatorService::Options options = ServiceTest::ServiceOptions();
    options.rules.groups_per_step = 2;
    return options;
  }
};

TEST_F(RanksTest, NothingStartsBeforeAllRanksAreThere) {
  const v1::Fence worker = Join("rollout-0", v1::ROLE_ROLLOUT_WORKER);
  const v1::Fence second = JoinRank(1, 2, "b");
  EXPECT_EQ(Status().waiting_for(), "learner ranks: 1 of 2 are there, rank 0 is not");
  const v1::Fence first = JoinRank(0, 2, "a");
  EXPECT_EQ(Status().waiting_for(), "the learner to load its weights");
  const v1::LearnerEpoch epoch = Status().learner_epoch();
  EXPECT_TRUE(epoch.complete());
  EXPECT_EQ(epoch.rendezvous(), "host:99");
  ASSERT_EQ(epoch.present_size(), 2);
  EXPECT_EQ(epoch.present(1).member_id(), "learner-1");
  EXPECT_EQ(epoch.present(1).address(), "host:101");
  EXPECT_EQ(Start(second, 0).error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_TRUE(Start(first, 0).ok());
  EXPECT_EQ(Lease(worker, 0).lease().learner_address(), "host:100");
  const v1::Lease lease = Lease(worker, 0).lease();
  EXPECT_EQ(lease.learner_address(), "host:101");
  EXPECT_EQ(lease.rank(), 1);
}

TEST_F(RanksTest, WhoMayBeWhichRank) {
  JoinRank(0, 2, "a");
  v1::RegisterRequest bad = RankRegistration(2, 2, "c");
  EXPECT_EQ(Register(bad).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  const grpc::Status more = Register(RankRegistration(1, 3, "c"));
  EXPECT_EQ(Reason(more), v1::REFUSAL_LEARNER_EXISTS);
  EXPECT_EQ(more.error_code(), grpc::StatusCode::UNAVAILABLE);
  v1::RegisterRequest taken = RankRegistration(0, 2, "c");
  EXPECT_EQ(Reason(Register(taken)), v1::REFUSAL_NAME_IN_USE);
  taken.set_member_id("another");
  EXPECT_EQ(Reason(Register(taken)), v1::REFUSAL_LEARNER_EXISTS);
  clock_.Advance(absl::Seconds(6));
  service_->Tick();  // rank 0 was silent for too long
  EXPECT_TRUE(Register(RankRegistration(1, 3, "c")).ok());
}

TEST_F(RanksTest, EveryRankIsToldTheWholeStep) {
  const v1::Fence first = JoinRank(0, 2, "a"), second = JoinRank(1, 2, "b");
  const v1::Fence worker = Join("rollout-0", v1::ROLE_ROLLOUT_WORKER);
  ASSERT_TRUE(Start(first, 0).ok());
  v1::SubmitGroupResponse submitted;
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(Submit(worker, Lease(worker, 0).lease(), &submitted).ok());
  v1::AssignStepResponse of_first, of_second;
  ASSERT_TRUE(AssignStep(second, Epoch(), &of_second).ok());
  ASSERT_TRUE(AssignStep(first, Epoch(), &of_first).ok());
  EXPECT_EQ(of_first.SerializeAsString(), of_second.SerializeAsString());
  ASSERT_EQ(of_first.groups_size(), 2);
  EXPECT_EQ(of_first.groups(0).rank(), 0);
  EXPECT_EQ(of_first.groups(1).rank(), 1);
  // Whose trajectories are lost says so itself.
  v1::ReportLostGroupsRequest lost;
  *lost.mutable_fence() = second;
  lost.set_learner_epoch(Epoch());
  lost.add_groups()->set_ordinal(1);
  lost.mutable_groups(0)->set_reason(v1::RETIRE_TRAJECTORY_LOST);
  v1::ReportLostGroupsResponse response;
  EXPECT_TRUE(service_->ReportLostGroups(nullptr, &lost, &response).ok());
  EXPECT_FALSE(AssignStep(first, Epoch(), &of_first).ok() && of_first.assigned());
}

TEST_F(RanksTest, AReplacedRankEndsTheEpochOfTheOthers) {
  const v1::Fence first = JoinRank(0, 2, "a");
  JoinRank(1, 2, "b");
  const std::string epoch = Epoch();
  ASSERT_TRUE(Start(first, 0).ok());
  clock_.Advance(absl::Seconds(2));
  ASSERT_TRUE(Beat(first).ok());
  JoinRank(1, 2, "c");
  v1::AssignStepResponse response;
  const grpc::Status over = AssignStep(first, epoch, &response);
  EXPECT_EQ(Reason(over), v1::REFUSAL_LEARNER_EPOCH);
  EXPECT_EQ(over.error_code(), grpc::StatusCode::ABORTED);
}

// One that dies before it could say which epoch it has joined is a member until its silence is noticed: a
// rank that comes meanwhile must not try to meet it.
TEST_F(RanksTest, ARankIsMetOnceItWasHeardAfterTheOthersCame) {
  JoinRank(0, 2, "a");
  JoinRank(1, 2, "b");
  EXPECT_TRUE(Status().learner_epoch().complete());
  clock_.Advance(absl::Seconds(2));  // "a" has died, "b" starts again
  const v1::Fence third = JoinRank(1, 2, "c");
  EXPECT_FALSE(Status().learner_epoch().complete());
  EXPECT_THAT(Status().waiting_for(), ::testing::HasSubstr("one was not heard since the others came"));
  clock_.Advance(absl::Seconds(2));
  ASSERT_TRUE(Beat(third).ok());
  clock_.Advance(absl::Milliseconds(100));
  JoinRank(0, 2, "d");
  EXPECT_FALSE(Status().learner_epoch().complete());
  ASSERT_TRUE(Beat(third).ok());
  EXPECT_TRUE(Status().learner_epoch().complete());
}

// A process that has trained can never train with others: a set with one of an older epoch is not complete.
TEST_F(RanksTest, ASetWithOneOfAnOlderEpochWaitsForIt) {
  const v1::Fence first = JoinRank(0, 2, "a");
  JoinRank(1, 2, "b");
  v1::HeartbeatRequest beat;
  *beat.mutable_fence() = first;
  beat.set_learner_epoch(Epoch());
  v1::HeartbeatResponse answer;
  ASSERT_TRUE(service_->Heartbeat(nullptr, &beat, &answer).ok());
  EXPECT_TRUE(answer.view().learner_epoch().complete());
  clock_.Advance(absl::Seconds(2));
  ASSERT_TRUE(service_->Heartbeat(nullptr, &beat, &answer).ok());
  const v1::Fence second = JoinRank(1, 2, "c");
  EXPECT_FALSE(Status().learner_epoch().complete());
  EXPECT_EQ(Status().waiting_for(),
            "learner ranks: 1 of 2 are there, learner-0 trained with other processes and has to start again");
  clock_.Advance(absl::Seconds(2));
  JoinRank(0, 2, "d");
  ASSERT_TRUE(Beat(second).ok());
  EXPECT_TRUE(Status().learner_epoch().complete());
}

TEST_F(RanksTest, ARestartedCoordinatorKeepsTheEpochOfTheSameProcesses) {
  v1::Fence first = JoinRank(0, 2, "a");
  JoinRank(1, 2, "b");
  const v1::Fence worker = Join("rollout-0", v1::ROLE_ROLLOUT_WORKER);
  const std::string epoch = Epoch();
  ASSERT_TRUE(Start(first, 0).ok());
  v1::SubmitGroupResponse submitted;
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(Submit(worker, Lease(worker, 0).lease(), &submitted).ok());
  v1::AssignStepResponse response;
  ASSERT_TRUE(AssignStep(first, epoch, &response).ok());
  Open();
  v1::RegisterRequest again = RankRegistration(0, 2, "a");
  again.set_again(true);
  again.mutable_learner()->set_learner_epoch(epoch);
  ASSERT_TRUE(Register(again, &first).ok());
  const grpc::Status early = AssignStep(first, epoch, &response);
  EXPECT_EQ(Reason(early), v1::REFUSAL_LEARNER_EPOCH);
  EXPECT_EQ(early.error_code(), grpc::StatusCode::UNAVAILABLE);  // members repeat
  JoinRank(1, 2, "b");
  EXPECT_EQ(Epoch(), epoch);
  v1::CommitStepRequest commit;
  *commit.mutable_fence() = first;
  commit.set_learner_epoch(epoch);
  commit.add_ordinals(0);
  commit.add_ordinals(1);
  *commit.mutable_new_version() = Version(1);
  v1::CommitStepResponse committed;
  EXPECT_TRUE(service_->CommitStep(nullptr, &commit, &committed).ok());
  EXPECT_EQ(store_->StepsFrom(0)->at(0).ranks(), 2);
}

TEST_F(RanksTest, RanksAreCounted) {
  JoinRank(0, 2, "a");
  service_->Tick();
  EXPECT_THAT(metrics_.Render(), ::testing::HasSubstr("lvrpo_coordinator_learner_ranks 1"));
  EXPECT_THAT(metrics_.Render(), ::testing::HasSubstr("lvrpo_coordinator_learner_ranks_wanted 2"));
}

}  // namespace
}  // namespace lvrpo
