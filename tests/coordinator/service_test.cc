#include "coordinator/service.h"

#include <unistd.h>

#include <filesystem>

#include "common/file.h"
#include "common/rpc.h"
#include "coordinator/audit.h"
#include "coordinator/client.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;

class ServiceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    dir_ = std::filesystem::temp_directory_path() /
           ("lvrpo-service-" + std::to_string(getpid()) + "-" +
            ::testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::remove_all(dir_);
    std::filesystem::create_directories(dir_);
    Open();
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }

  // A coordinator process starts (again).
  void Open() {
    service_.reset();
    CoordinatorService::Options options;
    options.run_id = "run";
    options.run_dir = dir_.string();
    options.config_digest = "config";
    options.rules.total_steps = 3;
    options.rules.group_size = 2;
    options.rules.groups_per_step = 1;
    options.rules.lease = absl::Seconds(10);
    auto store = Store::Open((dir_ / "coordinator.sqlite").string(), "run", "config");
    ASSERT_TRUE(store.ok()) << store.status();
    auto service = CoordinatorService::Create(options, *std::move(store), clock_, metrics_);
    ASSERT_TRUE(service.ok()) << service.status();
    service_ = *std::move(service);
  }

  v1::Fence Join(const std::string& id, v1::Role role, const std::string& address = "") {
    v1::RegisterRequest request;
    request.set_member_id(id);
    request.set_role(role);
    request.set_address(address);
    request.set_config_digest("config");
    v1::RegisterResponse response;
    EXPECT_TRUE(service_->Register(nullptr, &request, &response).ok());
    v1::Fence fence;
    fence.set_run_id(response.run_id());
    fence.set_run_epoch(response.run_epoch());
    fence.set_member_id(id);
    fence.set_incarnation(response.incarnation());
    return fence;
  }
  static v1::PolicyVersion Version(int64_t version) {
    v1::PolicyVersion v;
    v.set_version(version);
    v.set_digest("d" + std::to_string(version));
    return v;
  }
  grpc::Status Start(const v1::Fence& fence, int64_t version) {
    v1::StartTrainingRequest request;
    *request.mutable_fence() = fence;
    *request.mutable_version() = Version(version);
    v1::StartTrainingResponse response;
    return service_->StartTraining(nullptr, &request, &response);
  }
  v1::LeaseGroupResponse Lease(const v1::Fence& fence, int64_t version) {
    v1::AcknowledgeVersionRequest acknowledge;
    *acknowledge.mutable_fence() = fence;
    *acknowledge.mutable_version() = Version(version);
    v1::AcknowledgeVersionResponse acknowledged;
    EXPECT_TRUE(service_->AcknowledgeVersion(nullptr, &acknowledge, &acknowledged).ok());
    Join("reward-0", v1::ROLE_REWARD_SERVER, "r:1");
    v1::LeaseGroupRequest request;
    *request.mutable_fence() = fence;
    *request.mutable_version() = Version(version);
    v1::LeaseGroupResponse response;
    EXPECT_TRUE(service_->LeaseGroup(nullptr, &request, &response).ok());
    return response;
  }
  grpc::Status Submit(const v1::Fence& fence, const v1::Lease& lease, v1::SubmitGroupResponse* response) {
    v1::SubmitGroupRequest request;
    *request.mutable_fence() = fence;
    request.set_lease_id(lease.lease_id());
    request.set_ordinal(lease.ordinal());
    request.set_attempt(lease.attempt());
    *request.mutable_version() = lease.version();
    request.set_trajectory_digest("bytes");
    request.set_log_probs_finite(true);
    for (int slot = 0; slot < 2; ++slot) {
      v1::SampleSummary& sample = *request.add_samples();
      sample.set_slot(slot);
      sample.set_reward(static_cast<float>(slot));
      v1::ComponentScore& score = *sample.add_scores();
      score.set_name("instruction");
      score.set_outcome(v1::ComponentScore::OK);
      score.set_score(static_cast<float>(slot));
    }
    return service_->SubmitGroup(nullptr, &request, response);
  }
  grpc::Status Commit(const v1::Fence& fence, int64_t step, int64_t ordinal) {
    v1::AssignStepRequest assign;
    *assign.mutable_fence() = fence;
    assign.set_step(step);
    v1::AssignStepResponse assigned;
    const grpc::Status status = service_->AssignStep(nullptr, &assign, &assigned);
    if (!status.ok()) return status;
    EXPECT_TRUE(assigned.assigned());
    v1::CommitStepRequest commit;
    *commit.mutable_fence() = fence;
    commit.set_step(step);
    commit.add_ordinals(ordinal);
    *commit.mutable_new_version() = Version(step + 1);
    commit.set_metrics_json("{\"reward\": 0.5}");
    v1::CommitStepResponse response;
    return service_->CommitStep(nullptr, &commit, &response);
  }
  // Of rollout-0.
  static MemberSession::Options SessionOptions(const std::string& coordinator) {
    MemberSession::Options options;
    options.coordinator = coordinator;
    options.role = v1::ROLE_ROLLOUT_WORKER;
    options.member_id = "rollout-0";
    options.config_digest = "config";
    return options;
  }
  static std::string Reason(const grpc::Status& status) {
    return ErrorInfoOf(FromGrpcStatus(status)).reason();
  }

  std::filesystem::path dir_;
  FakeClock clock_;
  Metrics metrics_;
  std::unique_ptr<CoordinatorService> service_;
};

TEST_F(ServiceTest, AWholeStep) {
  const v1::Fence learner = Join("learner-0", v1::ROLE_LEARNER, "l:1");
  const v1::Fence worker = Join("rollout-0", v1::ROLE_ROLLOUT_WORKER);
  ASSERT_TRUE(Start(learner, 0).ok());
  const v1::LeaseGroupResponse lease = Lease(worker, 0);
  ASSERT_TRUE(lease.granted());
  EXPECT_EQ(lease.lease().learner_address(), "l:1");
  v1::SubmitGroupResponse submitted;
  ASSERT_TRUE(Submit(worker, lease.lease(), &submitted).ok());
  EXPECT_TRUE(submitted.accepted());
  ASSERT_TRUE(Commit(learner, 0, 0).ok());
  const std::string metrics = *ReadFile((dir_ / "metrics.jsonl").string());
  EXPECT_THAT(metrics, HasSubstr("\"reward\":0.5"));
  EXPECT_FALSE(std::filesystem::is_empty(dir_ / "tensorboard"));
  const auto proofs = AuditRun(dir_.string());
  ASSERT_TRUE(proofs.ok());
  for (const Proof& proof : *proofs) EXPECT_TRUE(proof.holds) << proof.sentence;
}

TEST_F(ServiceTest, FencesOffTheWrongCallers) {
  v1::Fence worker = Join("rollout-0", v1::ROLE_ROLLOUT_WORKER);
  v1::HeartbeatRequest request;
  v1::HeartbeatResponse response;
  const auto beat = [&](const v1::Fence& fence) {
    *request.mutable_fence() = fence;
    return Reason(service_->Heartbeat(nullptr, &request, &response));
  };
  EXPECT_EQ(beat(worker), "");
  v1::Fence wrong = worker;
  wrong.set_run_id("another");
  EXPECT_EQ(beat(wrong), "WRONG_RUN");
  wrong = worker;
  wrong.set_run_epoch(7);
  EXPECT_EQ(beat(wrong), "STALE_EPOCH");
  wrong = worker;
  wrong.set_member_id("stranger");
  EXPECT_EQ(beat(wrong), "NOT_A_MEMBER");
  Join("rollout-0", v1::ROLE_ROLLOUT_WORKER);
  EXPECT_EQ(beat(worker), "SUPERSEDED");
}

TEST_F(ServiceTest, RefusesAnotherConfigurationOrContract) {
  v1::RegisterRequest request;
  v1::RegisterResponse response;
  request.set_member_id("learner-0");
  request.set_role(v1::ROLE_LEARNER);
  request.set_config_digest("another");
  EXPECT_EQ(Reason(service_->Register(nullptr, &request, &response)), "CONFIG_MISMATCH");
  request.set_config_digest("config");
  (*request.mutable_contract())["schedule"] = "aaaa";
  EXPECT_TRUE(service_->Register(nullptr, &request, &response).ok());
  request.set_member_id("rollout-0");
  request.set_role(v1::ROLE_ROLLOUT_WORKER);
  (*request.mutable_contract())["schedule"] = "bbbb";
  const grpc::Status status = service_->Register(nullptr, &request, &response);
  EXPECT_EQ(Reason(status), "CONTRACT_MISMATCH");
  EXPECT_THAT(status.error_message(), HasSubstr("schedule"));
  // What the learner does not name is between the workers.
  (*request.mutable_contract())["schedule"] = "aaaa";
  (*request.mutable_contract())["prompts"] = "cccc";
  EXPECT_TRUE(service_->Register(nullptr, &request, &response).ok());
  request.set_member_id("rollout-1");
  (*request.mutable_contract())["prompts"] = "dddd";
  EXPECT_EQ(Reason(service_->Register(nullptr, &request, &response)), "CONTRACT_MISMATCH");
}

TEST_F(ServiceTest, ARestartKeepsWhatWasAcknowledged) {
  const v1::Fence learner = Join("learner-0", v1::ROLE_LEARNER, "l:1");
  const v1::Fence worker = Join("rollout-0", v1::ROLE_ROLLOUT_WORKER);
  ASSERT_TRUE(Start(learner, 0).ok());
  const v1::LeaseGroupResponse lease = Lease(worker, 0);
  Open();
  v1::SubmitGroupResponse submitted;
  EXPECT_EQ(Reason(Submit(worker, lease.lease(), &submitted)), "STALE_EPOCH");
  // The worker registers again, still holding the lease, and the same submit is welcome.
  v1::RegisterRequest request;
  request.set_member_id("rollout-0");
  request.set_role(v1::ROLE_ROLLOUT_WORKER);
  request.set_config_digest("config");
  request.add_held_ordinals(0);
  v1::RegisterResponse response;
  ASSERT_TRUE(service_->Register(nullptr, &request, &response).ok());
  v1::Fence fence = worker;
  fence.set_run_epoch(response.run_epoch());
  fence.set_incarnation(response.incarnation());
  ASSERT_TRUE(Submit(fence, lease.lease(), &submitted).ok());
  EXPECT_TRUE(submitted.accepted());
  Open();
  const v1::Fence learner_again = Join("learner-0", v1::ROLE_LEARNER, "l:1");
  EXPECT_EQ(Reason(Commit(learner_again, 0, 0)), "NOT_STARTED");
  ASSERT_TRUE(Start(learner_again, 0).ok());
  EXPECT_TRUE(Commit(learner_again, 0, 0).ok());
  EXPECT_EQ(service_->run_epoch(), 3);
}

TEST_F(ServiceTest, SilentMembersAreGoneAndTheirLeasesPlannedAgain) {
  const v1::Fence learner = Join("learner-0", v1::ROLE_LEARNER, "l:1");
  const v1::Fence worker = Join("rollout-0", v1::ROLE_ROLLOUT_WORKER);
  ASSERT_TRUE(Start(learner, 0).ok());
  EXPECT_EQ(Lease(worker, 0).lease().attempt(), 0);
  clock_.Advance(absl::Seconds(6));
  service_->Tick();
  const v1::Fence other = Join("rollout-1", v1::ROLE_ROLLOUT_WORKER);
  const v1::Fence learner_again = Join("learner-0", v1::ROLE_LEARNER, "l:1");
  EXPECT_FALSE(Lease(other, 0).granted());  // before the learner has said where it starts
  ASSERT_TRUE(Start(learner_again, 0).ok());
  const v1::LeaseGroupResponse again = Lease(other, 0);
  ASSERT_TRUE(again.granted());
  EXPECT_EQ(again.lease().ordinal(), 0);
  EXPECT_EQ(again.lease().attempt(), 1);
}

TEST_F(ServiceTest, ADrainStopsLeasesAndEndsWhenAllHaveLeft) {
  const v1::Fence learner = Join("learner-0", v1::ROLE_LEARNER, "l:1");
  const v1::Fence worker = Join("rollout-0", v1::ROLE_ROLLOUT_WORKER);
  ASSERT_TRUE(Start(learner, 0).ok());
  service_->StartDraining("test");
  EXPECT_FALSE(Lease(worker, 0).granted());
  EXPECT_FALSE(service_->Done());
  for (const v1::Fence& fence : {learner, worker, Join("reward-0", v1::ROLE_REWARD_SERVER, "r:1")}) {
    v1::LeaveRequest request;
    *request.mutable_fence() = fence;
    v1::LeaveResponse response;
    EXPECT_TRUE(service_->Leave(nullptr, &request, &response).ok());
  }
  EXPECT_TRUE(service_->Done());
}

TEST_F(ServiceTest, NothingIsLeasedThatNobodyCouldScore) {
  const v1::Fence learner = Join("learner-0", v1::ROLE_LEARNER, "l:1");
  const v1::Fence worker = Join("rollout-0", v1::ROLE_ROLLOUT_WORKER);
  ASSERT_TRUE(Start(learner, 0).ok());
  v1::LeaseGroupRequest request;
  *request.mutable_fence() = worker;
  *request.mutable_version() = Version(0);
  v1::LeaseGroupResponse response;
  ASSERT_TRUE(service_->LeaseGroup(nullptr, &request, &response).ok());
  EXPECT_FALSE(response.granted());
  EXPECT_EQ(response.waiting_for(), "a reward server");
}

TEST_F(ServiceTest, ARunHasFinishedWhenItsLastCheckpointIsRecorded) {
  const v1::Fence learner = Join("learner-0", v1::ROLE_LEARNER, "l:1");
  const v1::Fence worker = Join("rollout-0", v1::ROLE_ROLLOUT_WORKER);
  ASSERT_TRUE(Start(learner, 0).ok());
  for (int64_t step = 0; step < 3; ++step) {
    v1::SubmitGroupResponse submitted;
    ASSERT_TRUE(Submit(worker, Lease(worker, step).lease(), &submitted).ok());
    ASSERT_TRUE(Commit(learner, step, step).ok());
  }
  const auto finished = [&] {
    v1::GetStatusResponse response;
    EXPECT_TRUE(service_->GetStatus(nullptr, nullptr, &response).ok());
    return response.finished();
  };
  EXPECT_FALSE(finished());
  Open();  // killed before the checkpoint: the learner is waited for
  EXPECT_FALSE(finished());
  EXPECT_FALSE(service_->Done());
  v1::RecordCheckpointRequest request;
  *request.mutable_fence() = Join("learner-0", v1::ROLE_LEARNER, "l:1");
  request.set_step(3);
  request.set_path("checkpoints/step_000003");
  v1::RecordCheckpointResponse response;
  ASSERT_TRUE(service_->RecordCheckpoint(nullptr, &request, &response).ok());
  EXPECT_TRUE(finished());
  Open();
  EXPECT_TRUE(finished());
  EXPECT_TRUE(service_->Done());
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

TEST_F(ServiceTest, NumbersThatCannotBeAreRefused) {
  const v1::Fence learner = Join("learner-0", v1::ROLE_LEARNER, "l:1");
  EXPECT_EQ(Start(learner, -1).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Start(learner, 1).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  v1::RecordCheckpointRequest request;
  *request.mutable_fence() = learner;
  request.set_step(-1);
  v1::RecordCheckpointResponse response;
  EXPECT_EQ(service_->RecordCheckpoint(nullptr, &request, &response).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(ServiceTest, ARunHasOneLearner) {
  Join("learner-0", v1::ROLE_LEARNER, "l:1");
  v1::RegisterRequest request;
  request.set_member_id("learner-1");
  request.set_role(v1::ROLE_LEARNER);
  request.set_config_digest("config");
  v1::RegisterResponse response;
  EXPECT_EQ(Reason(service_->Register(nullptr, &request, &response)), "LEARNER_EXISTS");
  clock_.Advance(absl::Seconds(6));
  service_->Tick();  // the first one was silent too long
  EXPECT_TRUE(service_->Register(nullptr, &request, &response).ok());
}

TEST_F(ServiceTest, ALearnerThatIsRefusedDisturbsNobody) {
  const v1::Fence learner = Join("learner-0", v1::ROLE_LEARNER, "l:1");
  ASSERT_TRUE(Start(learner, 0).ok());
  const v1::Fence worker = Join("rollout-0", v1::ROLE_ROLLOUT_WORKER);
  v1::RegisterRequest request;
  request.set_member_id("rollout-1");
  request.set_role(v1::ROLE_ROLLOUT_WORKER);
  request.set_config_digest("config");
  (*request.mutable_contract())["schedule"] = "aaaa";
  v1::RegisterResponse response;
  ASSERT_TRUE(service_->Register(nullptr, &request, &response).ok());
  request.set_member_id("learner-0");
  request.set_role(v1::ROLE_LEARNER);
  (*request.mutable_contract())["schedule"] = "bbbb";
  EXPECT_EQ(Reason(service_->Register(nullptr, &request, &response)), "CONTRACT_MISMATCH");
  EXPECT_TRUE(Lease(worker, 0).granted());
}

TEST_F(ServiceTest, TheWatchdogSpeaksWhenAllGroupsAreRetired) {
  const v1::Fence learner = Join("learner-0", v1::ROLE_LEARNER, "l:1");
  const v1::Fence worker = Join("rollout-0", v1::ROLE_ROLLOUT_WORKER);
  ASSERT_TRUE(Start(learner, 0).ok());
  for (int i = 0; i < 6; ++i) {
    const v1::Lease lease = Lease(worker, 0).lease();
    v1::ReturnLeaseRequest request;
    *request.mutable_fence() = worker;
    request.set_lease_id(lease.lease_id());
    request.set_ordinal(lease.ordinal());
    request.set_reason("bad_prompt");
    request.set_data_is_at_fault(true);
    v1::ReturnLeaseResponse response;
    ASSERT_TRUE(service_->ReturnLease(nullptr, &request, &response).ok());
    clock_.Advance(absl::Seconds(4));
  }
  v1::GetStatusResponse status;
  ASSERT_TRUE(service_->GetStatus(nullptr, nullptr, &status).ok());
  EXPECT_THAT(status.waiting_for(), HasSubstr("6 were retired since the last step"));
  EXPECT_EQ(status.seconds_since_progress(), 24);
}

TEST_F(ServiceTest, ARunFolderOfAnotherConfigurationOrVersionIsRefused) {
  service_.reset();
  const std::string path = (dir_ / "coordinator.sqlite").string();
  const auto other = Store::Open(path, "run", "another");
  EXPECT_TRUE(absl::IsFailedPrecondition(other.status()));
  {
    auto store = Store::Open(path, "run", "config");
    ASSERT_TRUE((*store)->Transaction([&] { return (*store)->SetNumber("format", 99); }).ok());
  }
  const auto future = Store::Open(path, "run", "config");
  EXPECT_TRUE(absl::IsFailedPrecondition(future.status()));
  EXPECT_THAT(std::string(future.status().message()), HasSubstr("run format 99"));
  EXPECT_TRUE(absl::IsFailedPrecondition(AuditRun(dir_.string()).status()));
  ASSERT_TRUE(WriteFileAtomic(path, "this is not a database").ok());
  EXPECT_TRUE(absl::IsDataLoss(Store::Open(path, "run", "config").status()));
}

TEST_F(ServiceTest, TheAuditFindsAGroupThatWasUsedTwice) {
  const v1::Fence learner = Join("learner-0", v1::ROLE_LEARNER, "l:1");
  const v1::Fence worker = Join("rollout-0", v1::ROLE_ROLLOUT_WORKER);
  ASSERT_TRUE(Start(learner, 0).ok());
  v1::SubmitGroupResponse submitted;
  ASSERT_TRUE(Submit(worker, Lease(worker, 0).lease(), &submitted).ok());
  ASSERT_TRUE(Commit(learner, 0, 0).ok());
  service_.reset();
  {
    auto store = Store::Open((dir_ / "coordinator.sqlite").string(), "run", "config");
    v1::StepRecord forged = (*(*store)->Steps())[0];
    forged.set_step(1);
    forged.mutable_new_version()->set_version(2);
    ASSERT_TRUE((*store)->Transaction([&] { return (*store)->PutStep(forged); }).ok());
  }
  const auto proofs = AuditRun(dir_.string());
  ASSERT_TRUE(proofs.ok());
  EXPECT_FALSE((*proofs)[1].holds);
  EXPECT_THAT((*proofs)[1].sentence, HasSubstr("ordinal 0 went into steps 0 and 1"));
}

TEST_F(ServiceTest, ASessionSurvivesACoordinatorRestart) {
  std::string address = "127.0.0.1:0";
  auto server = RpcServer::Start({.listen = address}, {service_.get()});
  ASSERT_TRUE(server.ok());
  address = (*server)->address();
  const MemberSession::Options options = SessionOptions(address);
  auto session = MemberSession::Join(
      options, [] { return MemberSession::Report(); }, nullptr);
  ASSERT_TRUE(session.ok()) << session.status();
  (*server)->Shutdown(absl::ZeroDuration());
  server->reset();
  Open();
  server = RpcServer::Start({.listen = address}, {service_.get()});
  ASSERT_TRUE(server.ok()) << server.status();
  v1::LeaseGroupRequest request;
  const auto response = (*session)->Call(&v1::Coordinator::Stub::LeaseGroup, request);
  EXPECT_TRUE(response.ok()) << response.status();
  EXPECT_EQ((*session)->fence().run_epoch(), 2);
  EXPECT_TRUE((*session)->lost().ok());
  session->reset();
}

TEST_F(ServiceTest, ASessionWhoseRegistrationWasNotAnsweredGoesOn) {
  auto server = RpcServer::Start({.listen = "127.0.0.1:0"}, {service_.get()});
  MemberSession::Options options = SessionOptions((*server)->address());
  options.process = "this";
  auto session = MemberSession::Join(
      options, [] { return MemberSession::Report(); }, nullptr);
  ASSERT_TRUE(session.ok()) << session.status();
  // What the session would send; the answer does not reach it.
  v1::RegisterRequest request;
  request.set_member_id("rollout-0");
  request.set_role(v1::ROLE_ROLLOUT_WORKER);
  request.set_config_digest("config");
  request.set_process("this");
  request.set_again(true);
  v1::RegisterResponse response;
  ASSERT_TRUE(service_->Register(nullptr, &request, &response).ok());
  EXPECT_TRUE((*session)->Call(&v1::Coordinator::Stub::LeaseGroup, v1::LeaseGroupRequest()).ok());
  EXPECT_TRUE((*session)->lost().ok());
  request.set_process("another");
  EXPECT_EQ(Reason(service_->Register(nullptr, &request, &response)), "SUPERSEDED");
}

TEST_F(ServiceTest, ASupersededSessionIsLost) {
  auto server = RpcServer::Start({.listen = "127.0.0.1:0"}, {service_.get()});
  const MemberSession::Options options = SessionOptions((*server)->address());
  auto first = MemberSession::Join(
      options, [] { return MemberSession::Report(); }, nullptr);
  auto second = MemberSession::Join(
      options, [] { return MemberSession::Report(); }, nullptr);
  ASSERT_TRUE(second.ok());
  EXPECT_FALSE((*first)->Call(&v1::Coordinator::Stub::LeaseGroup, v1::LeaseGroupRequest()).ok());
  EXPECT_FALSE((*first)->lost().ok());
  EXPECT_TRUE((*second)->Call(&v1::Coordinator::Stub::LeaseGroup, v1::LeaseGroupRequest()).ok());
}

}  // namespace
}  // namespace lvrpo
