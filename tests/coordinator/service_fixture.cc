#include "tests/coordinator/service_fixture.h"

#include <sqlite3.h>

#include "absl/strings/str_format.h"
#include "common/files/file.h"
#include "common/hash.h"
#include "common/net/rpc.h"
#include "nlohmann/json.hpp"

namespace lvrpo {

void ServiceTest::SetUp() { Open(); }

void ServiceTest::TearDown() { service_.reset(); }

void StartedServiceTest::SetUp() {
  ServiceTest::SetUp();
  learner_ = Join("learner-0", v1::ROLE_LEARNER, "l:1");
  worker_ = Join("rollout-0", v1::ROLE_ROLLOUT_WORKER);
  Join("reward-0", v1::ROLE_REWARD_SERVER, "r:1");
  ASSERT_TRUE(Start(learner_, 0).ok());
}

CoordinatorService::Options ServiceTest::ServiceOptions() const {
  CoordinatorService::Options options;
  options.run_id = "run";
  options.run_dir = dir_.string();
  options.config_digest = "config";
  options.rules.total_steps = 3;
  options.rules.group_size = 2;
  options.rules.groups_per_step = 1;
  options.rules.lease = absl::Seconds(10);
  options.rules.lease_limit = absl::Seconds(60);
  options.max_unscorable_groups = 3;
  options.max_members = 8;
  return options;
}

void ServiceTest::Open() {
  service_.reset();
  auto store = Store::Open(DatabasePath(), "run", "config");
  ASSERT_TRUE(store.ok()) << store.status();
  store_ = store->get();
  auto service = CoordinatorService::Create(ServiceOptions(), *std::move(store), clock_, metrics_);
  ASSERT_TRUE(service.ok()) << service.status();
  service_ = *std::move(service);
  const absl::Status started = service_->Start();
  ASSERT_TRUE(started.ok()) << started;
}

void ServiceTest::Sql(const std::string& statements) {
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(DatabasePath().c_str(), &database), SQLITE_OK);
  char* error = nullptr;
  EXPECT_EQ(sqlite3_exec(database, statements.c_str(), nullptr, nullptr, &error), SQLITE_OK)
      << statements << ": " << (error == nullptr ? "" : error);
  sqlite3_free(error);
  sqlite3_close(database);
}

v1::RegisterRequest ServiceTest::Registration(const std::string& id, v1::Role role,
                                              const std::string& address) {
  v1::RegisterRequest request;
  request.set_member_id(id);
  request.set_role(role);
  request.set_address(!address.empty() || role == v1::ROLE_ROLLOUT_WORKER ? address : "127.0.0.1:1");
  request.set_config_digest("config");
  *request.mutable_build() = OwnBuild();
  if (role == v1::ROLE_REWARD_SERVER) return request;
  (*request.mutable_contract())["schedule"] = "aaaa";
  (*request.mutable_contract())["base weights"] = "bbbb";
  if (role == v1::ROLE_ROLLOUT_WORKER) (*request.mutable_contract())["prompts"] = "cccc";
  return request;
}

grpc::Status ServiceTest::Register(const v1::RegisterRequest& request, v1::Fence* fence,
                                   v1::RegisterResponse* response) {
  v1::RegisterResponse answer;
  const grpc::Status status = service_->Register(nullptr, &request, &answer);
  if (response != nullptr) *response = answer;
  if (!status.ok() || fence == nullptr) return status;
  fence->set_run_id(answer.run_id());
  fence->set_run_epoch(answer.run_epoch());
  fence->set_member_id(request.member_id());
  fence->set_incarnation(answer.incarnation());
  return status;
}

v1::Fence ServiceTest::Join(const std::string& id, v1::Role role, const std::string& address) {
  v1::Fence fence;
  const grpc::Status status = Register(Registration(id, role, address), &fence);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return fence;
}

grpc::Status ServiceTest::Start(const v1::Fence& fence, int64_t version) {
  v1::StartTrainingRequest request;
  *request.mutable_fence() = fence;
  *request.mutable_version() = Version(version);
  request.set_learner_epoch(Epoch());
  v1::StartTrainingResponse response;
  return service_->StartTraining(nullptr, &request, &response);
}

v1::LeaseGroupResponse ServiceTest::Lease(const v1::Fence& fence, int64_t version) {
  Join("reward-0", v1::ROLE_REWARD_SERVER, "r:1");
  v1::LeaseGroupRequest request;
  *request.mutable_fence() = fence;
  *request.mutable_version() = Version(version);
  v1::LeaseGroupResponse response;
  const grpc::Status status = service_->LeaseGroup(nullptr, &request, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return response;
}

v1::SubmitGroupRequest ServiceTest::SubmitOf(const v1::Fence& fence, const v1::Lease& lease, float spread) {
  v1::SubmitGroupRequest request;
  *request.mutable_fence() = fence;
  *request.mutable_lease() = lease.id();
  *request.mutable_version() = lease.version();
  request.set_trajectory_digest("bytes");
  request.set_kind("single");
  request.set_log_probs_finite(true);
  for (int slot = 0; slot < 2; ++slot) {
    v1::SampleSummary& sample = *request.add_samples();
    sample.set_slot(slot);
    sample.set_reward(spread * static_cast<float>(slot));
    v1::ComponentScore& score = *sample.add_scores();
    score.set_name("instruction");
    score.set_outcome(v1::ComponentScore::OK);
    score.set_score(sample.reward());
    score.set_detail("all of it");
    score.set_scorer_digest("eeee");
  }
  return request;
}

grpc::Status ServiceTest::Submit(const v1::Fence& fence, const v1::Lease& lease,
                                 v1::SubmitGroupResponse* response) {
  const v1::SubmitGroupRequest request = SubmitOf(fence, lease);
  return service_->SubmitGroup(nullptr, &request, response);
}

grpc::Status ServiceTest::Return(const v1::Fence& fence, const v1::Lease& lease, v1::ReturnReason reason,
                                 const std::string& detail) {
  v1::ReturnLeaseRequest request;
  *request.mutable_fence() = fence;
  *request.mutable_lease() = lease.id();
  request.set_reason(reason);
  request.set_detail(detail);
  v1::ReturnLeaseResponse response;
  return service_->ReturnLease(nullptr, &request, &response);
}

v1::AssignStepRequest ServiceTest::AssignmentOf(const v1::Fence& fence, int64_t step) {
  v1::AssignStepRequest request;
  *request.mutable_fence() = fence;
  request.set_step(step);
  request.set_learner_epoch(Epoch());
  return request;
}

v1::AssignStepResponse ServiceTest::Assign(const v1::Fence& fence, int64_t step) {
  const v1::AssignStepRequest request = AssignmentOf(fence, step);
  v1::AssignStepResponse response;
  EXPECT_TRUE(service_->AssignStep(nullptr, &request, &response).ok());
  return response;
}

grpc::Status ServiceTest::Commit(const v1::Fence& fence, int64_t step, int64_t ordinal) {
  const v1::AssignStepRequest assign = AssignmentOf(fence, step);
  v1::AssignStepResponse assigned;
  const grpc::Status status = service_->AssignStep(nullptr, &assign, &assigned);
  if (!status.ok()) return status;
  EXPECT_TRUE(assigned.assigned());
  v1::CommitStepRequest commit;
  *commit.mutable_fence() = fence;
  commit.set_step(step);
  commit.set_learner_epoch(Epoch());
  commit.add_ordinals(ordinal);
  *commit.mutable_new_version() = Version(step + 1);
  (*commit.mutable_metrics())["reward"] = 0.5;
  v1::CommitStepResponse response;
  return service_->CommitStep(nullptr, &commit, &response);
}

grpc::Status ServiceTest::Checkpoint(const v1::Fence& fence, int64_t step) {
  const std::string path = absl::StrFormat("checkpoints/step_%06d", step);
  const std::string folder = (dir_ / path).string();
  EXPECT_TRUE(MakeFolder(folder).ok());
  const std::string weights = "weights of step " + std::to_string(step);
  EXPECT_TRUE(WriteFileAtomic(folder + "/policy.safetensors", weights).ok());
  const std::string manifest = nlohmann::json{{"format", 1},
                                              {"step", step},
                                              {"weights_digest", Version(step).digest()},
                                              {"config_digest", "config"},
                                              {"files", {{"policy.safetensors", Sha256Hex(weights)}}}}
                                   .dump();
  EXPECT_TRUE(WriteFileAtomic(folder + "/manifest.json", manifest).ok());
  v1::RecordCheckpointRequest request;
  *request.mutable_fence() = fence;
  request.set_step(step);
  request.set_path(path);
  request.set_digest(Sha256Hex(manifest));
  request.set_learner_epoch(Epoch());
  v1::RecordCheckpointResponse response;
  return service_->RecordCheckpoint(nullptr, &request, &response);
}

grpc::Status ServiceTest::Beat(const v1::Fence& fence, const std::string& waiting_for, v1::Obstacle obstacle,
                               const std::string& state) {
  v1::HeartbeatRequest request;
  *request.mutable_fence() = fence;
  request.set_state(state);
  request.set_waiting_for(waiting_for);
  request.set_obstacle(obstacle);
  v1::HeartbeatResponse response;
  return service_->Heartbeat(nullptr, &request, &response);
}

void ServiceTest::TakeStep(const v1::Fence& learner, const v1::Fence& worker, int64_t step) {
  const v1::LeaseGroupResponse lease = Lease(worker, step);
  ASSERT_TRUE(lease.granted()) << lease.waiting_for();
  v1::SubmitGroupResponse submitted;
  ASSERT_TRUE(Submit(worker, lease.lease(), &submitted).ok());
  ASSERT_TRUE(submitted.accepted());
  const grpc::Status committed = Commit(learner, step, lease.lease().id().ordinal());
  ASSERT_TRUE(committed.ok()) << committed.error_message();
}

v1::GetStatusResponse ServiceTest::Status() {
  v1::GetStatusResponse response;
  EXPECT_TRUE(service_->GetStatus(nullptr, nullptr, &response).ok());
  return response;
}

v1::RefusalReason ServiceTest::Reason(const grpc::Status& status) {
  return ErrorInfoOf(FromGrpcStatus(status)).reason();
}

}  // namespace lvrpo
