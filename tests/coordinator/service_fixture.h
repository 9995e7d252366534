#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "coordinator/service.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/fake_clock.h"
#include "tests/testing/messages.h"
#include "tests/testing/temporary_folder.h"

namespace lvrpo {

// A coordinator service over a store in the test's own folder, with a manual clock.
class ServiceTest : public ::testing::Test {
 protected:
  using Terms = std::map<std::string, std::string>;

  void SetUp() override;
  void TearDown() override;

  // Starts (or restarts) a coordinator process.
  void Open();
  virtual CoordinatorService::Options ServiceOptions() const;
  std::string DatabasePath() const { return (dir_ / "coordinator.sqlite").string(); }
  // The open database, as another program would see it. Statements that must work.
  void Sql(const std::string& statements);

  static v1::RegisterRequest Registration(const std::string& id, v1::Role role,
                                          const std::string& address = "");
  grpc::Status Register(const v1::RegisterRequest& request, v1::Fence* fence = nullptr,
                        v1::RegisterResponse* response = nullptr);
  // Registration must succeed.
  v1::Fence Join(const std::string& id, v1::Role role, const std::string& address = "");
  // Id of the learner's epoch now.
  std::string Epoch() { return Status().learner_epoch().id(); }
  grpc::Status Start(const v1::Fence& fence, int64_t version);
  // Joins a reward server and leases.
  v1::LeaseGroupResponse Lease(const v1::Fence& fence, int64_t version);
  static v1::SubmitGroupRequest SubmitOf(const v1::Fence& fence, const v1::Lease& lease, float spread = 1);
  grpc::Status Submit(const v1::Fence& fence, const v1::Lease& lease, v1::SubmitGroupResponse* response);
  grpc::Status Return(const v1::Fence& fence, const v1::Lease& lease, v1::ReturnReason reason,
                      const std::string& detail = "");
  v1::AssignStepRequest AssignmentOf(const v1::Fence& fence, int64_t step = 0);
  // Must be answered.
  v1::AssignStepResponse Assign(const v1::Fence& fence, int64_t step = 0);
  grpc::Status Commit(const v1::Fence& fence, int64_t step, int64_t ordinal);
  // Writes a checkpoint folder as the learner does, and records it.
  grpc::Status Checkpoint(const v1::Fence& fence, int64_t step);
  grpc::Status Beat(const v1::Fence& fence, const std::string& waiting_for = "",
                    v1::Obstacle obstacle = v1::OBSTACLE_UNSPECIFIED, const std::string& state = "ready");
  // Lease, submit and commit of the next step.
  void TakeStep(const v1::Fence& learner, const v1::Fence& worker, int64_t step);
  v1::GetStatusResponse Status();
  static v1::RefusalReason Reason(const grpc::Status& status);

  const TemporaryFolder folder_;
  const std::filesystem::path dir_ = folder_.path();
  FakeClock clock_;
  Metrics metrics_;
  std::unique_ptr<CoordinatorService> service_;
  Store* store_ = nullptr;  // the service's
};

// One in which a learner, a worker and a reward server are there, and training has started.
class StartedServiceTest : public ServiceTest {
 protected:
  void SetUp() override;

  v1::Fence learner_, worker_;
};

}  // namespace lvrpo
