#include "role/after_the_end.h"

#include "absl/synchronization/mutex.h"
#include "common/config/config.h"
#include "common/net/rpc.h"
#include "gtest/gtest.h"
#include "proto/lvrpo/v1/coordinator.grpc.pb.h"

namespace lvrpo {
namespace {

// Says that the run is over so many times, then that it goes on.
class OverAtFirst final : public v1::Coordinator::Service {
 public:
  explicit OverAtFirst(int over) : left_(over) {}
  grpc::Status GetStatus(grpc::ServerContext*, const v1::GetStatusRequest*,
                         v1::GetStatusResponse* response) override {
    absl::MutexLock lock(&mutex_);
    response->set_finished(left_-- > 0);
    return grpc::Status::OK;
  }
  int left() const {
    absl::MutexLock lock(&mutex_);
    return left_;
  }

 private:
  mutable absl::Mutex mutex_;
  int left_ ABSL_GUARDED_BY(mutex_);
};

TEST(AfterTheEnd, ARunIsOverWhenItHasFinishedOrDrains) {
  v1::GetStatusResponse goes_on, finished, drains;
  finished.set_finished(true);
  drains.set_draining(true);
  EXPECT_EQ(StandingOf(goes_on), RunStands::kGoesOn);
  EXPECT_EQ(StandingOf(finished), RunStands::kOver);
  EXPECT_EQ(StandingOf(drains), RunStands::kOver);
  EXPECT_EQ(StandingOf(absl::UnavailableError("away")), RunStands::kUnknown);
}

TEST(AfterTheEnd, AProcessRestsUntilARunNeedsItAgain) {
  OverAtFirst coordinator(2);
  const auto server = *RpcServer::Start({}, {&coordinator});
  RoleFlags flags;
  flags.coordinator = server->address();
  const ShutdownSignal shutdown;
  const auto health = RoleHealth::Start("127.0.0.1:0", "role", shutdown);
  ASSERT_TRUE(health.ok()) << health.status();
  const absl::Status rested =
      RestAfterTheEnd(flags, DefaultRunConfig(), shutdown, **health, /*between=*/absl::Milliseconds(1));
  EXPECT_TRUE(absl::IsAborted(rested)) << rested;
  EXPECT_EQ(coordinator.left(), -1);
  EXPECT_EQ(PhaseOf((*health)->state().facts()), RolePhase::kFinished);
}

TEST(AfterTheEnd, NobodyIsAskedWithoutACoordinator) {
  EXPECT_EQ(AskStanding(RoleFlags(), DefaultRunConfig()), RunStands::kUnknown);
}

}  // namespace
}  // namespace lvrpo
