#include <algorithm>
#include <optional>

#include "coordinator/records/audit.h"
#include "coordinator/state/versions.h"
#include "tests/coordinator/service_fixture.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;

TEST_F(ServiceTest, FencesOffTheWrongCallers) {
  v1::Fence worker = Join("rollout-0", v1::ROLE_ROLLOUT_WORKER);
  v1::HeartbeatRequest request;
  v1::HeartbeatResponse response;
  const auto beat = [&](const v1::Fence& fence) {
    *request.mutable_fence() = fence;
    return Reason(service_->Heartbeat(nullptr, &request, &response));
  };
  EXPECT_EQ(beat(worker), v1::REFUSAL_UNSPECIFIED);
  v1::Fence wrong = worker;
  wrong.set_run_id("another");
  EXPECT_EQ(beat(wrong), v1::REFUSAL_WRONG_RUN);
  wrong = worker;
  wrong.set_run_epoch(7);
  EXPECT_EQ(beat(wrong), v1::REFUSAL_STALE_EPOCH);
  wrong.set_run_epoch(worker.run_epoch() + 1);  // of a coordinator with newer records
  EXPECT_EQ(beat(wrong), v1::REFUSAL_STALE_EPOCH);
  wrong = worker;
  wrong.set_member_id("stranger");
  EXPECT_EQ(beat(wrong), v1::REFUSAL_NOT_A_MEMBER);
  Join("rollout-0", v1::ROLE_ROLLOUT_WORKER);
  EXPECT_EQ(beat(worker), v1::REFUSAL_SUPERSEDED);
}

TEST_F(ServiceTest, SilentMembersAreGoneAndTheirLeasesPlannedAgain) {
  const v1::Fence learner = Join("learner-0", v1::ROLE_LEARNER, "l:1");
  const v1::Fence worker = Join("rollout-0", v1::ROLE_ROLLOUT_WORKER);
  ASSERT_TRUE(Start(learner, 0).ok());
  EXPECT_EQ(Lease(worker, 0).lease().id().attempt(), 0);
  clock_.Advance(absl::Seconds(6));
  service_->Tick();
  const v1::Fence other = Join("rollout-1", v1::ROLE_ROLLOUT_WORKER);
  const v1::Fence learner_again = Join("learner-0", v1::ROLE_LEARNER, "l:1");
  EXPECT_FALSE(Lease(other, 0).granted());  // before the learner has said where it starts
  ASSERT_TRUE(Start(learner_again, 0).ok());
  const v1::LeaseGroupResponse again = Lease(other, 0);
  ASSERT_TRUE(again.granted());
  EXPECT_EQ(again.lease().id().ordinal(), 0);
  EXPECT_EQ(again.lease().id().attempt(), 1);
}

// Whoever has the current version and streams it is named with its open streams, whatever its role.
TEST_F(ServiceTest, NamesAllWhoHoldTheCurrentWeights) {
  const v1::Fence learner = Join("learner-0", v1::ROLE_LEARNER, "l:1");
  ASSERT_TRUE(Start(learner, 0).ok());
  v1::HeartbeatResponse answer;
  const auto beat = [&](const v1::Fence& fence, int64_t version, std::optional<int> streams) {
    v1::HeartbeatRequest request;
    *request.mutable_fence() = fence;
    *request.mutable_version() = Version(version);
    if (streams.has_value()) request.set_weight_streams(*streams);
    answer.Clear();
    ASSERT_TRUE(service_->Heartbeat(nullptr, &request, &answer).ok());
  };
  beat(Join("silent", v1::ROLE_ROLLOUT_WORKER, "a:1"), 0, std::nullopt);
  beat(Join("older", v1::ROLE_ROLLOUT_WORKER, "b:1"), 7, 0);
  beat(Join("nowhere", v1::ROLE_ROLLOUT_WORKER), 0, 0);
  EXPECT_EQ(answer.view().weight_holders_size(), 0);
  const v1::Fence worker = Join("rollout-0", v1::ROLE_ROLLOUT_WORKER, "w:1");
  beat(worker, 0, 3);
  beat(learner, 0, 0);
  ASSERT_EQ(answer.view().weight_holders_size(), 2);
  EXPECT_EQ(answer.view().weight_holders(0).address(), "l:1");
  EXPECT_EQ(answer.view().weight_holders(1).address(), "w:1");
  EXPECT_EQ(answer.view().weight_holders(1).weight_streams(), 3);
  beat(worker, 0, std::nullopt);
  EXPECT_EQ(answer.view().weight_holders_size(), 1);
}

TEST_F(ServiceTest, ADrainStopsLeasesAndEndsWhenAllHaveLeft) {
  const v1::Fence learner = Join("learner-0", v1::ROLE_LEARNER, "l:1");
  const v1::Fence worker = Join("rollout-0", v1::ROLE_ROLLOUT_WORKER);
  ASSERT_TRUE(Start(learner, 0).ok());
  v1::SubmitGroupResponse submitted;
  ASSERT_TRUE(Submit(worker, Lease(worker, 0).lease(), &submitted).ok());
  service_->StartDraining("test");
  EXPECT_FALSE(Lease(worker, 0).granted());
  const v1::AssignStepResponse assigned = Assign(learner);
  EXPECT_FALSE(assigned.assigned());  // although its groups are there
  EXPECT_FALSE(service_->Done());
  for (const v1::Fence& fence : {learner, worker, Join("reward-0", v1::ROLE_REWARD_SERVER, "r:1")}) {
    v1::LeaveRequest request;
    *request.mutable_fence() = fence;
    v1::LeaveResponse response;
    EXPECT_TRUE(service_->Leave(nullptr, &request, &response).ok());
  }
  EXPECT_TRUE(service_->Done());
}

TEST_F(ServiceTest, ADrainThatMembersDoNotFollowIsOverdueAfterItsGrace) {
  Join("rollout-0", v1::ROLE_ROLLOUT_WORKER);
  clock_.Advance(absl::Hours(1));
  EXPECT_FALSE(service_->standing().overdue);  // nobody drains
  service_->StartDraining("test");
  clock_.Advance(absl::Seconds(20));
  service_->StartDraining("again");  // the first one counts
  clock_.Advance(absl::Seconds(10));
  EXPECT_FALSE(service_->standing().overdue);
  clock_.Advance(absl::Milliseconds(1));
  EXPECT_TRUE(service_->standing().overdue);
}

// So that a coordinator which leaves at the same time records its checkpoint first.
TEST_F(ServiceTest, KnowsThatALearnerLeaves) {
  const v1::Fence learner = Join("learner-0", v1::ROLE_LEARNER, "l:1"),
                  worker = Join("rollout-0", v1::ROLE_ROLLOUT_WORKER);
  ASSERT_TRUE(Beat(worker, "", v1::OBSTACLE_UNSPECIFIED, kLeaving).ok());
  EXPECT_FALSE(service_->standing().learner_leaves);
  ASSERT_TRUE(Beat(learner, "", v1::OBSTACLE_UNSPECIFIED, kLeaving).ok());
  EXPECT_TRUE(service_->standing().learner_leaves);
  v1::LeaveRequest request;
  *request.mutable_fence() = learner;
  v1::LeaveResponse response;
  ASSERT_TRUE(service_->Leave(nullptr, &request, &response).ok());
  EXPECT_FALSE(service_->standing().learner_leaves);
}

TEST_F(ServiceTest, LeasesOfAProcessThatLeftOrDiedArePlannedAgainAtOnce) {
  const v1::Fence learner = Join("learner-0", v1::ROLE_LEARNER, "l:1");
  v1::Fence worker = Join("rollout-0", v1::ROLE_ROLLOUT_WORKER);
  ASSERT_TRUE(Start(learner, 0).ok());
  ASSERT_EQ(Lease(worker, 0).lease().id().attempt(), 0);
  worker = Join("rollout-0", v1::ROLE_ROLLOUT_WORKER);  // as a process that holds nothing
  EXPECT_EQ(Status().groups_by_state().at("planned"), 1);
  ASSERT_EQ(Lease(worker, 0).lease().id().attempt(), 1);
  v1::LeaveRequest leave;
  *leave.mutable_fence() = worker;
  v1::LeaveResponse left;
  ASSERT_TRUE(service_->Leave(nullptr, &leave, &left).ok());
  EXPECT_EQ(Status().groups_by_state().at("planned"), 1);
}

// Whatever a member says shows that it lives.
TEST_F(ServiceTest, AMemberIsHeardFromInEveryCall) {
  const v1::Fence learner = Join("learner-0", v1::ROLE_LEARNER, "l:1");
  const v1::AssignStepRequest assign = AssignmentOf(learner);
  v1::AssignStepResponse assigned;
  ASSERT_TRUE(Start(learner, 0).ok());
  for (int i = 0; i < 3; ++i) {
    clock_.Advance(absl::Seconds(4));
    ASSERT_TRUE(service_->AssignStep(nullptr, &assign, &assigned).ok());
    service_->Tick();
  }
  EXPECT_EQ(Status().members_size(), 1);
}

TEST_F(ServiceTest, EachRoleMayMakeItsOwnCallsOnly) {
  const v1::Fence learner = Join("learner-0", v1::ROLE_LEARNER, "l:1");
  const v1::Fence worker = Join("rollout-0", v1::ROLE_ROLLOUT_WORKER);
  EXPECT_EQ(Start(worker, 0).error_code(), grpc::StatusCode::PERMISSION_DENIED);
  ASSERT_TRUE(Start(learner, 0).ok());
  v1::LeaseGroupRequest request;
  *request.mutable_fence() = learner;
  v1::LeaseGroupResponse response;
  EXPECT_EQ(service_->LeaseGroup(nullptr, &request, &response).error_code(),
            grpc::StatusCode::PERMISSION_DENIED);
}

TEST_F(ServiceTest, ARunHasOneLearner) {
  Join("learner-0", v1::ROLE_LEARNER, "l:1");
  const v1::RegisterRequest second = Registration("learner-1", v1::ROLE_LEARNER, "l:2");
  const grpc::Status status = Register(second);
  EXPECT_EQ(Reason(status), v1::REFUSAL_LEARNER_EXISTS);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);  // it waits, and its run does not end for it
  clock_.Advance(absl::Seconds(6));
  service_->Tick();  // the first one was silent too long
  EXPECT_TRUE(Register(second).ok());
}

TEST_F(ServiceTest, ALivingMembersNameCannotBeTaken) {
  v1::RegisterRequest first = Registration("learner-0", v1::ROLE_LEARNER, "l:1"), second = first;
  first.set_process("first");
  second.set_process("second");
  v1::Fence fence;
  ASSERT_TRUE(Register(first, &fence).ok());
  ASSERT_TRUE(Start(fence, 0).ok());
  const grpc::Status refused = Register(second);
  EXPECT_EQ(Reason(refused), v1::REFUSAL_NAME_IN_USE);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_TRUE(Beat(fence).ok());
  // Another role under the name, and another's claim to have been there before, are nothing new either.
  v1::RegisterRequest other_role = Registration("learner-0", v1::ROLE_REWARD_SERVER, "l:1");
  other_role.set_process("second");
  EXPECT_EQ(Reason(Register(other_role)), v1::REFUSAL_NAME_IN_USE);
  second.set_again(true);
  EXPECT_EQ(Reason(Register(second)), v1::REFUSAL_SUPERSEDED);
  EXPECT_TRUE(Beat(fence).ok());
  // A process that died is replaced after a few missed heartbeats, long before it counts as gone.
  second.set_again(false);
  clock_.Advance(absl::Milliseconds(1600));
  EXPECT_TRUE(Register(second).ok());
  EXPECT_EQ(Reason(Beat(fence)), v1::REFUSAL_SUPERSEDED);
}

TEST_F(ServiceTest, MembersAreCounted) {
  for (int i = 0; i < 8; ++i) Join("reward-" + std::to_string(i), v1::ROLE_REWARD_SERVER, "r:1");
  const grpc::Status status = Register(Registration("reward-8", v1::ROLE_REWARD_SERVER, "r:1"));
  EXPECT_EQ(Reason(status), v1::REFUSAL_TOO_MANY_MEMBERS);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  Join("reward-3", v1::ROLE_REWARD_SERVER, "r:1");  // one of them again
}

TEST_F(ServiceTest, AGroupIsLeasedTogetherWithTheAcknowledgementOfItsWeights) {
  const v1::Fence learner = Join("learner-0", v1::ROLE_LEARNER, "l:1");
  const v1::Fence worker = Join("rollout-0", v1::ROLE_ROLLOUT_WORKER);
  ASSERT_TRUE(Start(learner, 0).ok());
  TakeStep(learner, worker, 0);  // the worker's own acknowledgements never came
  TakeStep(learner, worker, 1);
  const auto proofs = AuditRun(dir_.string());
  ASSERT_TRUE(proofs.ok());
  for (const Proof& proof : *proofs) EXPECT_TRUE(proof.holds) << proof.sentence;
}

TEST_F(ServiceTest, OnlyTheCurrentWeightsAreAcknowledged) {
  const v1::Fence learner = Join("learner-0", v1::ROLE_LEARNER, "l:1");
  const v1::Fence worker = Join("rollout-0", v1::ROLE_ROLLOUT_WORKER);
  ASSERT_TRUE(Start(learner, 0).ok());
  TakeStep(learner, worker, 0);
  const size_t before = store_->Acknowledgements()->size();
  const auto acknowledge = [&](int64_t version, const std::string& digest) {
    v1::AcknowledgeVersionRequest request;
    *request.mutable_fence() = worker;
    request.mutable_version()->set_number(version);
    request.mutable_version()->set_digest(digest);
    v1::AcknowledgeVersionResponse response;
    return service_->AcknowledgeVersion(nullptr, &request, &response);
  };
  EXPECT_EQ(Reason(acknowledge(1, "other")), v1::REFUSAL_WRONG_DIGEST);
  EXPECT_EQ(Reason(acknowledge(2, "d1")),
            v1::REFUSAL_WRONG_DIGEST);     // the current digest under another number
  EXPECT_TRUE(acknowledge(0, "d1").ok());  // too late to matter: not recorded
  EXPECT_TRUE(acknowledge(0, "d0").ok());
  EXPECT_EQ(acknowledge(-1, "d1").error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(store_->Acknowledgements()->size(), before);
  EXPECT_TRUE(acknowledge(1, "d1").ok());
  EXPECT_EQ(store_->Acknowledgements()->size(), before + 1);
}

// The first step is abandoned and taken again, with other weights: their number alone says nothing.
TEST_F(ServiceTest, OtherWeightsOfAKnownNumberAreAcknowledgedAnew) {
  const v1::Fence learner = Join("learner-0", v1::ROLE_LEARNER, "l:1");
  const v1::Fence worker = Join("rollout-0", v1::ROLE_ROLLOUT_WORKER);
  ASSERT_TRUE(Start(learner, 0).ok());
  TakeStep(learner, worker, 0);
  ASSERT_TRUE(Lease(worker, 1).granted());
  ASSERT_TRUE(Start(learner, 0).ok());
  const v1::Fence other = Join("rollout-1", v1::ROLE_ROLLOUT_WORKER);
  v1::SubmitGroupResponse submitted;
  ASSERT_TRUE(Submit(other, Lease(other, 0).lease(), &submitted).ok());
  const v1::AssignStepResponse assigned = Assign(learner);
  v1::CommitStepRequest commit;
  *commit.mutable_fence() = learner;
  commit.set_learner_epoch(Epoch());
  commit.add_ordinals(0);
  *commit.mutable_new_version() = Version(1, "other");
  v1::CommitStepResponse committed;
  ASSERT_TRUE(service_->CommitStep(nullptr, &commit, &committed).ok());
  v1::LeaseGroupRequest request;
  *request.mutable_fence() = worker;
  *request.mutable_version() = Version(1, "other");
  v1::LeaseGroupResponse response;
  ASSERT_TRUE(service_->LeaseGroup(nullptr, &request, &response).ok());
  ASSERT_TRUE(response.granted()) << response.waiting_for();
  const auto acknowledged = store_->Acknowledgements();
  EXPECT_TRUE(std::any_of(acknowledged->begin(), acknowledged->end(), [](const v1::PolicyVersion& version) {
    return SameVersion(version, Version(1, "other"));
  }));
}

TEST_F(ServiceTest, ASubmitThatIsRepeatedWithOtherContentsIsRefused) {
  const v1::Fence learner = Join("learner-0", v1::ROLE_LEARNER, "l:1");
  const v1::Fence worker = Join("rollout-0", v1::ROLE_ROLLOUT_WORKER);
  ASSERT_TRUE(Start(learner, 0).ok());
  const v1::Lease lease = Lease(worker, 0).lease();
  v1::SubmitGroupResponse submitted;
  ASSERT_TRUE(Submit(worker, lease, &submitted).ok());
  ASSERT_TRUE(Submit(worker, lease, &submitted).ok());
  EXPECT_TRUE(submitted.repeated_submit());
  v1::SubmitGroupRequest changed = SubmitOf(worker, lease);
  changed.mutable_samples(0)->set_reward(9);
  EXPECT_EQ(Reason(service_->SubmitGroup(nullptr, &changed, &submitted)), v1::REFUSAL_SUBMITTED_BEFORE);
  Open();  // the first is what the records say
  EXPECT_EQ(store_->Group(0)->samples(0).reward(), 0);
}

TEST_F(ServiceTest, ALeaseThatMakesNoProgressEnds) {
  const v1::Fence learner = Join("learner-0", v1::ROLE_LEARNER, "l:1");
  const v1::Fence stuck = Join("rollout-0", v1::ROLE_ROLLOUT_WORKER);
  const v1::Fence other = Join("rollout-1", v1::ROLE_ROLLOUT_WORKER);
  ASSERT_TRUE(Start(learner, 0).ok());
  const v1::Lease lease = Lease(stuck, 0).lease();
  v1::HeartbeatRequest beat;
  *beat.mutable_fence() = stuck;
  *beat.add_held() = lease.id();
  v1::HeartbeatResponse answer;
  for (int second = 0; second < 59; second += 4) {
    ASSERT_TRUE(service_->Heartbeat(nullptr, &beat, &answer).ok());
    EXPECT_EQ(answer.revoked_size(), 0);
    ASSERT_TRUE(Beat(learner).ok());
    ASSERT_TRUE(Beat(other).ok());
    service_->Tick();
    clock_.Advance(absl::Seconds(4));
  }
  service_->Tick();
  ASSERT_TRUE(service_->Heartbeat(nullptr, &beat, &answer).ok());
  EXPECT_EQ(answer.revoked_size(), 1);
  EXPECT_THAT(Lease(stuck, 0).waiting_for(), HasSubstr("others go first"));
  EXPECT_EQ(Lease(other, 0).lease().id().attempt(), 1);
}

}  // namespace
}  // namespace lvrpo
