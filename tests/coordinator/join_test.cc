// Who waits when the coordinator that answers has another configuration.

#include "common/net/rpc.h"
#include "coordinator/client.h"
#include "gtest/gtest.h"
#include "proto/lvrpo/v1/coordinator.grpc.pb.h"

namespace lvrpo {
namespace {

// Refuses the configuration of so many registrations, as the coordinator of the run before does.
class OldCoordinator final : public v1::Coordinator::Service {
 public:
  explicit OldCoordinator(int refusals) : refusals_(refusals) {}
  grpc::Status Register(grpc::ServerContext*, const v1::RegisterRequest*,
                        v1::RegisterResponse* response) override {
    absl::MutexLock lock(&mutex_);
    if (refusals_-- > 0) {
      v1::ErrorInfo info;
      info.set_reason(v1::REFUSAL_CONFIG_MISMATCH);
      return ToGrpcStatus(WithReason(absl::FailedPreconditionError("another configuration"), info));
    }
    response->set_run_id("run");
    response->set_heartbeat_interval_seconds(60);
    return grpc::Status::OK;
  }
  grpc::Status Heartbeat(grpc::ServerContext*, const v1::HeartbeatRequest*, v1::HeartbeatResponse*) override {
    return grpc::Status::OK;
  }

 private:
  absl::Mutex mutex_;
  int refusals_ ABSL_GUARDED_BY(mutex_);
};

absl::Status Join(v1::Role role, int refusals) {
  OldCoordinator coordinator(refusals);
  const auto server = *RpcServer::Start({}, {&coordinator});
  MemberSession::Options options;
  options.coordinator = server->address();
  options.role = role;
  options.member_id = "member-0";
  return MemberSession::Join(
             options, [] { return MemberSession::Report(); }, nullptr)
      .status();
}

TEST(MemberSession, ALearnerWaitsForTheCoordinatorOfItsRunAndOthersDoNot) {
  EXPECT_TRUE(Join(v1::ROLE_LEARNER, 2).ok());
  EXPECT_EQ(ErrorInfoOf(Join(v1::ROLE_ROLLOUT_WORKER, 1)).reason(), v1::REFUSAL_CONFIG_MISMATCH);
}

}  // namespace
}  // namespace lvrpo
