// What a connected peer may do.

#include "common/net/introduction.h"
#include "coordinator/client.h"
#include "coordinator/service.h"
#include "tests/security/tls_world.h"
#include "tests/testing/fake_clock.h"
#include "tests/testing/fake_waiting.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;

// A coordinator over TLS, and calls to it by each role.
class CallsTest : public TlsWorld {
 protected:
  void SetUp() override {
    auto store = Store::Open(folder_ / "coordinator.sqlite", "run", "config");
    ASSERT_TRUE(store.ok()) << store.status();
    CoordinatorService::Options options;
    options.run_id = "run";
    options.run_dir = folder_.path();
    options.config_digest = "config";
    options.rules.total_steps = 3;
    options.rules.group_size = 2;
    options.rules.groups_per_step = 1;
    service_ = *CoordinatorService::Create(options, *std::move(store), clock_, metrics_);
    ASSERT_TRUE(service_->Start().ok());
    server_ = *RpcServer::Start(ServerOptions(Identity(PeerRole::kCoordinator)), {service_.get()});
  }
  void TearDown() override { server_.reset(); }

  v1::Coordinator::Stub& As(PeerRole role) {
    std::unique_ptr<v1::Coordinator::Stub>& stub = stubs_[role];
    if (stub == nullptr)
      stub = v1::Coordinator::NewStub(MakeChannel(server_->address(), Client(Identity(role))));
    return *stub;
  }
  template <class Request, class Response>
  absl::Status Call(PeerRole role,
                    grpc::Status (v1::Coordinator::Stub::*method)(grpc::ClientContext*, const Request&,
                                                                  Response*),
                    const Request& request, Response* response = nullptr) {
    Response ignored;
    return FromGrpcStatus((As(role).*method)(MakeContext(absl::Seconds(20)).get(), request,
                                             response == nullptr ? &ignored : response));
  }
  absl::Status Register(PeerRole as, v1::Role role, v1::Fence* fence = nullptr) {
    v1::RegisterRequest request;
    request.set_role(role);
    request.set_member_id("member-" + std::to_string(role));
    request.set_config_digest("config");
    request.set_process("process-" + std::to_string(role));
    request.set_address("127.0.0.1:1");
    *request.mutable_build() = OwnBuild();
    for (const char* term : {"schedule", "base weights", "prompts"})
      (*request.mutable_contract())[term] = "aaaa";
    v1::RegisterResponse response;
    const absl::Status status = Call(as, &v1::Coordinator::Stub::Register, request, &response);
    if (fence == nullptr) return status;
    fence->set_run_id(response.run_id());
    fence->set_run_epoch(response.run_epoch());
    fence->set_member_id(request.member_id());
    fence->set_incarnation(response.incarnation());
    return status;
  }

  FakeClock clock_;
  Metrics metrics_;
  std::unique_ptr<CoordinatorService> service_;
  std::unique_ptr<RpcServer> server_;
  std::map<PeerRole, std::unique_ptr<v1::Coordinator::Stub>> stubs_;
};

TEST_F(CallsTest, ARoleMayCallItsMethodsAlone) {
  const absl::Status drained = Call(PeerRole::kRollout, &v1::Coordinator::Stub::Drain, v1::DrainRequest());
  EXPECT_TRUE(absl::IsPermissionDenied(drained)) << drained;
  EXPECT_EQ(
      drained.message(),
      "Coordinator/Drain is not for the role rollout of your certificate, but for operator or coordinator");
  EXPECT_EQ(denied()["Coordinator/Drain not_allowed"], 1);
  EXPECT_TRUE(absl::IsPermissionDenied(
      Call(PeerRole::kReward, &v1::Coordinator::Stub::CommitStep, v1::CommitStepRequest())));
  for (const PeerRole role : AllPeerRoles())
    EXPECT_TRUE(Call(role, &v1::Coordinator::Stub::GetStatus, v1::GetStatusRequest()).ok()) << Word(role);
  EXPECT_TRUE(Call(PeerRole::kOperator, &v1::Coordinator::Stub::Drain, v1::DrainRequest()).ok());
}

TEST_F(CallsTest, AMemberHasTheRoleOfItsCertificate) {
  for (const auto& [as, role] : {std::pair{PeerRole::kRollout, v1::ROLE_LEARNER},
                                 {PeerRole::kReward, v1::ROLE_ROLLOUT_WORKER},
                                 {PeerRole::kLearner, v1::ROLE_REWARD_SERVER},
                                 {PeerRole::kEvaluation, v1::ROLE_ROLLOUT_WORKER},
                                 {PeerRole::kRollout, v1::ROLE_UNSPECIFIED}}) {
    const absl::Status status = Register(as, role);
    EXPECT_TRUE(absl::IsPermissionDenied(status)) << Word(as) << " as " << role << ": " << status;
  }
  for (const auto& [as, role] : {std::pair{PeerRole::kRollout, v1::ROLE_ROLLOUT_WORKER},
                                 {PeerRole::kReward, v1::ROLE_REWARD_SERVER},
                                 {PeerRole::kLearner, v1::ROLE_LEARNER}}) {
    const absl::Status status = Register(as, role);
    EXPECT_TRUE(status.ok()) << Word(as) << ": " << status;
  }
}

// The fence was seen on a plain network, or in a log: with another role's certificate it is of no use.
TEST_F(CallsTest, AFenceIsOfNoUseToAnotherRole) {
  v1::Fence fence;
  ASSERT_TRUE(Register(PeerRole::kLearner, v1::ROLE_LEARNER, &fence).ok());
  v1::HeartbeatRequest beat;
  *beat.mutable_fence() = fence;
  v1::LeaveRequest leave;
  *leave.mutable_fence() = fence;
  v1::StartTrainingRequest start;
  *start.mutable_fence() = fence;
  EXPECT_TRUE(absl::IsPermissionDenied(Call(PeerRole::kRollout, &v1::Coordinator::Stub::Heartbeat, beat)));
  EXPECT_TRUE(absl::IsPermissionDenied(Call(PeerRole::kRollout, &v1::Coordinator::Stub::Leave, leave)));
  EXPECT_TRUE(
      absl::IsPermissionDenied(Call(PeerRole::kRollout, &v1::Coordinator::Stub::StartTraining, start)));
  EXPECT_TRUE(Call(PeerRole::kLearner, &v1::Coordinator::Stub::Heartbeat, beat).ok());
  // Replayed with an older epoch, it is refused to its owner, too.
  beat.mutable_fence()->set_run_epoch(fence.run_epoch() - 1);
  const absl::Status old = Call(PeerRole::kLearner, &v1::Coordinator::Stub::Heartbeat, beat);
  EXPECT_TRUE(absl::IsFailedPrecondition(old)) << old;
  EXPECT_EQ(ErrorInfoOf(old).reason(), v1::REFUSAL_STALE_EPOCH);
}

TEST_F(CallsTest, OversizedRequestsAreNotParsed) {
  v1::DrainRequest request;
  request.set_reason(std::string(3 << 20, 'x'));
  const absl::Status status = Call(PeerRole::kOperator, &v1::Coordinator::Stub::Drain, request);
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("is larger than max 1048576"));
  EXPECT_EQ(denied()["Coordinator/Drain too_large"], 1);
  EXPECT_FALSE(service_->Done());
}

TEST_F(CallsTest, WrongCertificatesEndAProcessAtOnceWithOneSentence) {
  FakeWaiting time;
  MemberSession::Options options;
  options.coordinator = server_->address();
  options.role = v1::ROLE_ROLLOUT_WORKER;
  options.member_id = "rollout-0";
  options.config_digest = "config";
  options.waiting = time.waiting();
  Leaf stranger(PeerRole::kRollout);
  stranger.scope = "another-run";
  options.channel = Client(Identity(stranger));
  absl::Status status = MemberSession::Join(
                            options, [] { return MemberSession::Report(); }, nullptr)
                            .status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_EQ(status.message(),
            "the coordinator: refuses to talk to " + server_->address() +
                ": its certificate (lvrpo-coordinator) is for 'test', and ours for 'another-run'");
  options.channel = Client(Identity(PeerRole::kReward));
  status = MemberSession::Join(
               options, [] { return MemberSession::Report(); }, nullptr)
               .status();
  EXPECT_TRUE(absl::IsPermissionDenied(status)) << status;
  status =
      CoordinatorClient(server_->address(), Client(Identity(stranger))).GetStatus(absl::Seconds(20)).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  status = CoordinatorClient(server_->address(), Client(nullptr)).GetStatus(absl::Seconds(20)).status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("--tls"));
}

// Also without TLS, by address.
TEST_F(TlsWorld, ImpatientPeersAreRefused) {
  InfoService service;
  for (const bool tls : {false, true}) {
    RpcServer::Options options = ServerOptions(tls ? Identity(PeerRole::kReward) : nullptr);
    options.limits.per_second = 1e-9;
    options.limits.burst = 2;
    const auto server = *RpcServer::Start(options, {&service});
    const ChannelOptions client = Client(tls ? Identity(PeerRole::kRollout) : nullptr);
    EXPECT_TRUE(GetInfo(server->address(), client).ok());
    EXPECT_TRUE(GetInfo(server->address(), client).ok());
    EXPECT_TRUE(absl::IsResourceExhausted(GetInfo(server->address(), client)));
  }
  EXPECT_EQ(denied()["Reward/GetInfo too_many"], 2);
}

}  // namespace
}  // namespace lvrpo
