#include <sqlite3.h>

#include <thread>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "common/net/rpc.h"
#include "coordinator/client.h"
#include "tests/coordinator/service_fixture.h"
#include "tests/testing/fake_waiting.h"

namespace lvrpo {
namespace {

class SessionTest : public ServiceTest {
 protected:
  // Session of rollout-0.
  static MemberSession::Options SessionOptions(const std::string& coordinator) {
    const v1::RegisterRequest request = Registration("rollout-0", v1::ROLE_ROLLOUT_WORKER);
    MemberSession::Options options;
    options.coordinator = coordinator;
    options.role = request.role();
    options.member_id = request.member_id();
    options.config_digest = request.config_digest();
    options.contract = {request.contract().begin(), request.contract().end()};
    return options;
  }
};

TEST_F(SessionTest, ASessionSurvivesACoordinatorRestart) {
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
  EXPECT_EQ(service_->starts(), 2);
  EXPECT_TRUE(Beat((*session)->fence()).ok());
  EXPECT_TRUE((*session)->lost().ok());
  session->reset();
}

TEST_F(SessionTest, ASessionWhoseRegistrationWasNotAnsweredGoesOn) {
  auto server = RpcServer::Start({.listen = "127.0.0.1:0"}, {service_.get()});
  MemberSession::Options options = SessionOptions((*server)->address());
  options.process = "this";
  auto session = MemberSession::Join(
      options, [] { return MemberSession::Report(); }, nullptr);
  ASSERT_TRUE(session.ok()) << session.status();
  // Sends what the session would; the answer does not reach it.
  v1::RegisterRequest request = Registration("rollout-0", v1::ROLE_ROLLOUT_WORKER);
  request.set_process("this");
  request.set_again(true);
  v1::RegisterResponse response;
  ASSERT_TRUE(service_->Register(nullptr, &request, &response).ok());
  EXPECT_TRUE((*session)->Call(&v1::Coordinator::Stub::LeaseGroup, v1::LeaseGroupRequest()).ok());
  EXPECT_TRUE((*session)->lost().ok());
  request.set_process("another");
  EXPECT_EQ(Reason(service_->Register(nullptr, &request, &response)), v1::REFUSAL_SUPERSEDED);
}

TEST_F(SessionTest, ASupersededSessionIsLost) {
  auto server = RpcServer::Start({.listen = "127.0.0.1:0"}, {service_.get()});
  auto session = MemberSession::Join(
      SessionOptions((*server)->address()), [] { return MemberSession::Report(); }, nullptr);
  ASSERT_TRUE(session.ok());
  v1::RegisterRequest other = Registration("rollout-0", v1::ROLE_ROLLOUT_WORKER);
  other.set_process("other");
  v1::Fence fence;
  for (int i = 0; i < 100 && fence.member_id().empty(); ++i) {  // a heartbeat may come in between
    clock_.Advance(absl::Seconds(2));
    Register(other, &fence);
  }
  EXPECT_FALSE((*session)->Call(&v1::Coordinator::Stub::LeaseGroup, v1::LeaseGroupRequest()).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition((*session)->lost()));
  EXPECT_TRUE(Beat(fence).ok());
}

TEST_F(SessionTest, ASecondProcessOfOneNameDoesNotEndTheFirst) {
  auto server = RpcServer::Start({.listen = "127.0.0.1:0"}, {service_.get()});
  MemberSession::Options options = SessionOptions((*server)->address());
  auto first = MemberSession::Join(
      options, [] { return MemberSession::Report(); }, nullptr);
  ASSERT_TRUE(first.ok());
  options.patience = absl::Milliseconds(10);
  const auto second = MemberSession::Join(
      options, [] { return MemberSession::Report(); }, nullptr);
  EXPECT_TRUE(absl::IsUnavailable(second.status())) << second.status();
  EXPECT_NE(second.status().message().find("another process is rollout-0, and alive"), std::string::npos);
  EXPECT_TRUE((*first)->Call(&v1::Coordinator::Stub::LeaseGroup, v1::LeaseGroupRequest()).ok());
  EXPECT_TRUE((*first)->lost().ok());
}

// A member that registers again learns at once which of its leases are revoked.
TEST_F(SessionTest, LeasesThatWereLostWhileTheCoordinatorWasAwayAreRevoked) {
  auto server = RpcServer::Start({.listen = "127.0.0.1:0"}, {service_.get()});
  const std::string address = (*server)->address();
  absl::Mutex mutex;
  std::vector<v1::LeaseId> revoked;
  MemberSession::Report report;
  report.held.emplace_back();
  report.held.back().set_ordinal(5);
  auto session = MemberSession::Join(
      SessionOptions(address), [report] { return report; }, nullptr,
      [&](const std::vector<v1::LeaseId>& leases) {
        absl::MutexLock lock(&mutex);
        revoked.insert(revoked.end(), leases.begin(), leases.end());
      });
  ASSERT_TRUE(session.ok());
  (*server)->Shutdown(absl::ZeroDuration());
  server->reset();
  {
    absl::MutexLock lock(&mutex);
    revoked.clear();
  }
  Open();
  server = RpcServer::Start({.listen = address}, {service_.get()});
  ASSERT_TRUE((*session)->Call(&v1::Coordinator::Stub::LeaseGroup, v1::LeaseGroupRequest()).ok());
  absl::MutexLock lock(&mutex);
  ASSERT_FALSE(revoked.empty());
  EXPECT_EQ(revoked.front().ordinal(), 5);
}

// Sessions wait for a full disk without a limit, but not for an unreachable coordinator.
TEST_F(SessionTest, ASessionWaitsForACoordinatorThatWaitsForItsDisk) {
  auto server = RpcServer::Start({.listen = "127.0.0.1:0"}, {service_.get()});
  MemberSession::Options options = SessionOptions((*server)->address());
  FakeWaiting time;
  options.patience = absl::Milliseconds(1);  // shorter than any wait
  options.waiting = time.waiting();
  const std::thread::id caller = std::this_thread::get_id();
  int asked = 0;  // before each attempt of the call below; heartbeats ask from another thread
  const auto mend_before_the_third_attempt = [&] {
    if (std::this_thread::get_id() != caller || ++asked != 3) return false;
    sqlite3_exec(store_->database(), "PRAGMA query_only=0", nullptr, nullptr, nullptr);
    clock_.Advance(absl::Seconds(1));
    service_->Tick();
    return false;
  };
  auto session = MemberSession::Join(
      options, [] { return MemberSession::Report(); }, mend_before_the_third_attempt);
  ASSERT_TRUE(session.ok());
  ASSERT_EQ(asked, 0);
  ASSERT_EQ(sqlite3_exec(store_->database(), "PRAGMA query_only=1", nullptr, nullptr, nullptr), SQLITE_OK);
  service_->StartDraining("so that there is something to write");
  EXPECT_TRUE((*session)->Call(&v1::Coordinator::Stub::LeaseGroup, v1::LeaseGroupRequest()).ok());
  EXPECT_EQ(asked, 3);
  EXPECT_TRUE((*session)->lost().ok());
}

// Forgets its members once, and is then another run's. Each heartbeat is told of a lost lease.
class ReplacedCoordinator final : public v1::Coordinator::Service {
 public:
  grpc::Status Register(grpc::ServerContext*, const v1::RegisterRequest*,
                        v1::RegisterResponse* response) override {
    absl::MutexLock lock(&mutex_);
    response->set_run_id(++registrations_ == 1 ? "run" : "another");
    response->set_incarnation(registrations_);
    response->set_heartbeat_interval_seconds(60);
    return grpc::Status::OK;
  }
  grpc::Status Heartbeat(grpc::ServerContext*, const v1::HeartbeatRequest*,
                         v1::HeartbeatResponse* response) override {
    response->add_revoked()->set_ordinal(7);
    return grpc::Status::OK;
  }
  grpc::Status LeaseGroup(grpc::ServerContext*, const v1::LeaseGroupRequest* request,
                          v1::LeaseGroupResponse*) override {
    if (request->fence().incarnation() > 1) return grpc::Status::OK;
    v1::ErrorInfo info;
    info.set_reason(v1::REFUSAL_STALE_EPOCH);
    return ToGrpcStatus(WithReason(absl::FailedPreconditionError("started again"), info));
  }

 private:
  absl::Mutex mutex_;
  int registrations_ ABSL_GUARDED_BY(mutex_) = 0;
};

absl::StatusOr<std::unique_ptr<MemberSession>> JoinReplaced(
    const std::string& coordinator, std::function<void(const std::vector<v1::LeaseId>&)> revoked = nullptr) {
  MemberSession::Options options;
  options.coordinator = coordinator;
  options.role = v1::ROLE_ROLLOUT_WORKER;
  options.member_id = "rollout-0";
  return MemberSession::Join(
      options, [] { return MemberSession::Report(); }, nullptr, std::move(revoked));
}

TEST(MemberSession, DoesNotGoOnInAnotherRun) {
  ReplacedCoordinator coordinator;
  const auto server = *RpcServer::Start({}, {&coordinator});
  const auto session = JoinReplaced(server->address());
  ASSERT_TRUE(session.ok()) << session.status();
  const absl::Status status =
      (*session)->Call(&v1::Coordinator::Stub::LeaseGroup, v1::LeaseGroupRequest()).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_EQ(status.message(), "the coordinator serves run another now");
}

TEST(MemberSession, LeasesThatAHeartbeatFindsLostAreRevoked) {
  ReplacedCoordinator coordinator;
  const auto server = *RpcServer::Start({}, {&coordinator});
  absl::Mutex mutex;
  int64_t revoked = -1;
  const auto session = JoinReplaced(server->address(), [&](const std::vector<v1::LeaseId>& leases) {
    absl::MutexLock lock(&mutex);
    revoked = leases.front().ordinal();
  });
  ASSERT_TRUE(session.ok()) << session.status();
  absl::MutexLock lock(&mutex);
  const auto told = [&revoked] { return revoked == 7; };
  EXPECT_TRUE(mutex.AwaitWithTimeout(absl::Condition(&told), absl::Seconds(20)));
}

TEST(MemberSession, KnowsForHowLongTheCoordinatorIsSilent) {
  ReplacedCoordinator coordinator;
  const auto server = *RpcServer::Start({}, {&coordinator});
  FakeWaiting time;
  MemberSession::Options options;
  options.coordinator = server->address();
  options.role = v1::ROLE_ROLLOUT_WORKER;
  options.member_id = "rollout-0";
  options.waiting = time.waiting();
  absl::Notification heard;  // its first heartbeat was answered; the next is a minute away
  const auto session = MemberSession::Join(
      options, [] { return MemberSession::Report(); }, nullptr,
      [&heard](const std::vector<v1::LeaseId>&) { heard.Notify(); });
  ASSERT_TRUE(session.ok()) << session.status();
  heard.WaitForNotification();
  EXPECT_EQ((*session)->silence(), absl::ZeroDuration());
  time.clock.Advance(absl::Seconds(9));
  EXPECT_EQ((*session)->silence(), absl::Seconds(9));
  EXPECT_FALSE((*session)->Call(&v1::Coordinator::Stub::LeaseGroup, v1::LeaseGroupRequest()).ok());
  EXPECT_EQ((*session)->silence(), absl::ZeroDuration());  // a refusal is an answer
}

// Patience is measured by the session's clock, and no two processes wait alike.
TEST(MemberSession, GivesUpOnACoordinatorThatStaysAway) {
  std::vector<absl::Duration> first_waits;
  for (const char* process : {"one", "two"}) {
    FakeWaiting time;
    MemberSession::Options options;
    options.coordinator = "127.0.0.1:1";  // where nothing is
    options.role = v1::ROLE_ROLLOUT_WORKER;
    options.member_id = "rollout-0";
    options.process = process;
    options.patience = absl::Seconds(60);
    options.waiting = time.waiting();
    const absl::Time begin = time.clock.Now();
    const absl::Status status = MemberSession::Join(
                                    options, [] { return MemberSession::Report(); }, nullptr)
                                    .status();
    EXPECT_TRUE(absl::IsUnavailable(status)) << status;
    EXPECT_NE(status.message().find("127.0.0.1:1 did not answer for 1m"), std::string::npos) << status;
    EXPECT_GT(time.clock.Now() - begin, options.patience);
    for (const absl::Duration wait : time.waits) {
      EXPECT_GE(wait, absl::Milliseconds(100));
      EXPECT_LE(wait, absl::Milliseconds(200));
    }
    first_waits.push_back(time.waits.front());
  }
  EXPECT_NE(first_waits[0], first_waits[1]);
}

}  // namespace
}  // namespace lvrpo
