#include "role/role_process.h"

#include <unistd.h>

#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "common/config/config.h"
#include "common/files/file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "proto/lvrpo/v1/coordinator.grpc.pb.h"
#include "proto/lvrpo/v1/weights.grpc.pb.h"
#include "tests/testing/temporary_folder.h"

namespace lvrpo {
namespace {

using ::testing::ElementsAre;

// Whether somebody serves there: an answer, even that the method is not known.
bool Answers(const std::string& address) {
  v1::WeightManifest manifest;
  return v1::WeightSource::NewStub(MakeChannel(address, 64))
             ->GetManifest(MakeContext(absl::Seconds(10)).get(), v1::GetManifestRequest(), &manifest)
             .error_code() == grpc::StatusCode::UNIMPLEMENTED;
}

// Takes one member.
class ScriptedCoordinator final : public v1::Coordinator::Service {
 public:
  grpc::Status Register(grpc::ServerContext* context, const v1::RegisterRequest* request,
                        v1::RegisterResponse* response) override {
    absl::MutexLock lock(&mutex_);
    registered_ = *request;
    time_left_ = absl::FromChrono(context->deadline()) - absl::Now();
    response->set_run_id("run");
    response->set_incarnation(7);
    response->set_heartbeat_interval_seconds(60);
    return grpc::Status::OK;
  }
  grpc::Status Heartbeat(grpc::ServerContext*, const v1::HeartbeatRequest*, v1::HeartbeatResponse*) override {
    return grpc::Status::OK;
  }
  grpc::Status Leave(grpc::ServerContext*, const v1::LeaveRequest* request, v1::LeaveResponse*) override {
    const bool serves = Answers(registered().address());
    absl::MutexLock lock(&mutex_);
    left_.push_back(request->reason() + (serves ? ", serving" : ", not serving"));
    return grpc::Status::OK;
  }
  v1::RegisterRequest registered() const {
    absl::MutexLock lock(&mutex_);
    return registered_;
  }
  // Of the call that registered.
  absl::Duration time_left() const {
    absl::MutexLock lock(&mutex_);
    return time_left_;
  }
  std::vector<std::string> left() const {
    absl::MutexLock lock(&mutex_);
    return left_;
  }

 private:
  mutable absl::Mutex mutex_;
  v1::RegisterRequest registered_ ABSL_GUARDED_BY(mutex_);
  absl::Duration time_left_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> left_ ABSL_GUARDED_BY(mutex_);
};

class RoleProcessTest : public ::testing::Test {
 protected:
  RoleProcessTest() {
    flags_.member_id = "learner-3";
    flags_.coordinator = server_->address();
  }
  absl::StatusOr<std::unique_ptr<RoleProcess>> Start() {
    return RoleProcess::Start(flags_, config_, *health_, {.services = {&service_}});
  }

  ScriptedCoordinator coordinator_;
  std::unique_ptr<RpcServer> server_ = *RpcServer::Start({}, {&coordinator_});
  const v1::RunConfig config_ = DefaultRunConfig();
  RoleFlags flags_;
  v1::WeightSource::Service service_;  // knows no method
  const ShutdownSignal shutdown_;
  const std::unique_ptr<RoleHealth> health_ = *RoleHealth::Start("127.0.0.1:0", "role", shutdown_);
};

TEST_F(RoleProcessTest, SaysWhereItServes) {
  const TemporaryFolder folder;
  flags_.address_file = folder / "address.json";
  const auto process = Start();
  ASSERT_TRUE(process.ok()) << process.status();
  EXPECT_TRUE(Answers((*process)->address()));
  ASSERT_TRUE((*process)->Announce().ok());
  const auto said = nlohmann::json::parse(*ReadFile(flags_.address_file));
  EXPECT_EQ(said.value("address", ""), (*process)->address());
  EXPECT_EQ(said.value("metrics", ""), (*process)->metrics_address());
  EXPECT_EQ(said.value("pid", 0), getpid());
}

TEST_F(RoleProcessTest, JoinsUnderItsNameAndLeavesBeforeItStopsServing) {
  const auto process = Start();
  ASSERT_TRUE(process.ok()) << process.status();
  const std::string address = (*process)->address();
  ASSERT_TRUE((*process)
                  ->Join({.role = v1::ROLE_LEARNER,
                          .contract = {{"model", "abc"}},
                          .report = [] { return MemberSession::Report(); }},
                         shutdown_)
                  .ok());
  EXPECT_EQ((*process)->session().registration().run_id(), "run");
  const v1::RegisterRequest registered = coordinator_.registered();
  EXPECT_EQ(registered.role(), v1::ROLE_LEARNER);
  EXPECT_EQ(registered.member_id(), "learner-3");
  EXPECT_EQ(registered.address(), address);
  EXPECT_EQ(registered.config_digest(), ConfigDigest(config_));
  EXPECT_EQ(registered.contract().at("model"), "abc");
  const absl::Duration timeout = absl::Seconds(config_.rpc().timeout_seconds());
  EXPECT_LT(coordinator_.time_left(), timeout * 2);
  EXPECT_GT(coordinator_.time_left(), timeout / 10);
  (*process)->End("done", absl::ZeroDuration());
  EXPECT_THAT(coordinator_.left(), ElementsAre("done, serving"));
  EXPECT_FALSE(Answers(address));
}

TEST_F(RoleProcessTest, MayServeNothing) {
  const auto process = RoleProcess::Start(flags_, config_, *health_, {});
  ASSERT_TRUE(process.ok()) << process.status();
  EXPECT_EQ((*process)->address(), "");
  EXPECT_TRUE((*process)->Announce().ok());
  (*process)->End("never joined", absl::ZeroDuration());
  EXPECT_THAT(coordinator_.left(), ElementsAre());
}

TEST_F(RoleProcessTest, APortThatIsTakenIsAnError) {
  flags_.listen = server_->address();
  EXPECT_TRUE(absl::IsUnavailable(Start().status()));
  EXPECT_FALSE(RoleHealth::Start(server_->address(), "role", shutdown_).ok());
}

// Its health is served before it serves anything, and says in which phase it is.
TEST_F(RoleProcessTest, ShowsItsPhaseFromTheFirstMomentToTheLast) {
  const auto why_not = [this] { return NotReady(health_->state().facts()); };
  EXPECT_EQ(why_not(), "loading the program");
  {
    const auto process = Start();
    ASSERT_TRUE(process.ok()) << process.status();
    EXPECT_EQ(why_not(), "joining");
    ASSERT_TRUE((*process)
                    ->Join({.role = v1::ROLE_REWARD_SERVER, .report = [] { return MemberSession::Report(); }},
                           shutdown_)
                    .ok());
    EXPECT_EQ(why_not(), "");
  }
  EXPECT_EQ(why_not(), "joining");
}

TEST_F(RoleProcessTest, SaysWhatItWaitsFor) {
  flags_.coordinator = "127.0.0.1:1";  // where nothing is
  flags_.patience_seconds = 0.001;
  const auto process = Start();
  ASSERT_TRUE(process.ok()) << process.status();
  const absl::Status joined = (*process)->Join(
      {.role = v1::ROLE_REWARD_SERVER, .report = [] { return MemberSession::Report(); }}, shutdown_);
  EXPECT_TRUE(absl::IsUnavailable(joined)) << joined;
  EXPECT_EQ(NotReady(health_->state().facts()),
            "joining: waits for the coordinator at 127.0.0.1:1, which does not answer");
}

}  // namespace
}  // namespace lvrpo
