// A learner's and a worker's gang as their processes make them, over gRPC and the doubles of NCCL and CUDA.
#include <cstdlib>
#include <memory>
#include <string>

#include "common/config/config.h"
#include "common/net/rpc.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/fake_clock.h"
#include "tests/weight_plane/some_weights.h"
#include "weight_plane/gang/learner_gang.h"
#include "weight_plane/gang/worker_gang.h"
#include "weight_plane/resuming_fetch.h"
#include "weight_plane/weight_client.h"
#include "weight_plane/weight_service.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class GangRolesTest : public ::testing::Test {
 protected:
  GangRolesTest() {
    config_.mutable_weights()->set_transport("nccl");
    config_.mutable_weights()->set_gather_seconds(.1);
    config_.mutable_learner()->set_device("cuda");
    config_.mutable_rollout()->set_device("cuda:1");
    setenv("LVRPO_NCCL_LIBRARY", LVRPO_NCCL_DOUBLE, 1);
    setenv("LVRPO_CUDART_LIBRARY", LVRPO_CUDART_DOUBLE, 1);
  }
  ~GangRolesTest() override {
    unsetenv("LVRPO_NCCL_LIBRARY");
    unsetenv("LVRPO_CUDART_LIBRARY");
  }

  void StartLearner(int rank = 0) {
    learner_ = std::make_unique<LearnerGang>(config_, rank, service_, metrics_);
    server_ = *RpcServer::Start({}, {&service_, &learner_->service()});
    learner_->Open([] { return FenceOf("learner-0"); });
    view_.add_learners()->set_address(server_->address());
    v1::Member& holder = *view_.add_weight_holders();
    holder.set_address(server_->address());
    holder.set_role(v1::ROLE_LEARNER);
  }
  std::unique_ptr<WorkerGang> OpenWorker() {
    return WorkerGang::Open(
        config_,
        {.fence = [] { return FenceOf("rollout-0"); },
         .view = [this] { return view_; },
         .stop = [] { return false; },
         .waiting = {.clock = &clock_, .sleep = [this](absl::Duration pause) { clock_.Advance(pause); }}},
        client_, metrics_);
  }
  static v1::Fence FenceOf(const std::string& member) {
    v1::Fence fence;
    fence.set_run_id("run");
    fence.set_member_id(member);
    return fence;
  }
  std::string Refusal() {
    v1::AskGangRequest request;
    *request.mutable_fence() = FenceOf("rollout-0");
    request.mutable_member()->set_host(HostName());
    const auto answer = GangClient(64).Ask(server_->address(), request, absl::Seconds(30));
    return answer.ok() ? answer->why() : answer.status().ToString();
  }

  v1::RunConfig config_ = DefaultRunConfig();
  Metrics metrics_;
  FakeClock clock_;
  CallWatch watch_{{.every = {}}};
  WeightService service_{watch_, 2};
  WeightClient client_{64};
  v1::PoolView view_;
  std::unique_ptr<LearnerGang> learner_;
  std::unique_ptr<RpcServer> server_;
};

TEST_F(GangRolesTest, MeasureAndBroadcast) {
  StartLearner();
  const std::unique_ptr<WorkerGang> worker = OpenWorker();
  ASSERT_NE(worker, nullptr);
  worker->Preflight();
  int64_t nccl_bytes = 0;
  ResumingFetch fetch(client_, {.own_address = "rollout-0:1",
                                .limits = {.whole = absl::Seconds(30), .silence = absl::Seconds(30)},
                                .on_bytes =
                                    [&](int64_t bytes, v1::Role, absl::string_view transport) {
                                      nccl_bytes += transport == "nccl" ? bytes : 0;
                                    },
                                .first = &worker->fetcher()});
  for (const int64_t number : {1, 2}) {
    const auto weights =
        std::make_shared<const PackedWeights>(SomeWeights(number, static_cast<char>('a' + number)));
    learner_->publisher().Publish(weights);
    *view_.mutable_current_version() = weights->manifest.version();
    const auto fetched = fetch.Fetch(WantedOf(*weights), [&] { return view_; });
    ASSERT_TRUE(fetched.ok()) << fetched.status();
    EXPECT_TRUE(SameBytes(fetched->buckets(), weights->buckets));
    EXPECT_EQ(nccl_bytes, number * (3100 * 1000 + 7) * 4);
  }
  EXPECT_THAT(metrics_.Render(), HasSubstr("lvrpo_learner_weight_preflight_bytes_per_second"));
}

TEST_F(GangRolesTest, ALearnerWithoutNcclTellsWorkersToFetch) {
  setenv("LVRPO_NCCL_LIBRARY", "/nowhere/libnccl.so", 1);
  StartLearner();
  EXPECT_EQ(&learner_->publisher(), &service_);
  EXPECT_THAT(Refusal(), HasSubstr("the learner cannot broadcast: no NCCL: /nowhere/libnccl.so"));
  EXPECT_EQ(OpenWorker(), nullptr) << "nor does a worker without it ask";
}

TEST_F(GangRolesTest, NobodyAsksWhereTheRunDoesNotSayNccl) {
  config_.mutable_weights()->set_transport("grpc");
  StartLearner();
  EXPECT_EQ(&learner_->publisher(), &service_);
  EXPECT_EQ(Refusal(), "weights.transport is not nccl");
  EXPECT_EQ(OpenWorker(), nullptr);
}

TEST_F(GangRolesTest, AWorkerOnACpuFetches) {
  config_.mutable_rollout()->set_device("cpu");
  StartLearner();
  EXPECT_NE(&learner_->publisher(), &service_);
  EXPECT_EQ(OpenWorker(), nullptr);
}

TEST_F(GangRolesTest, OnlyRankZeroBroadcasts) {
  StartLearner(1);
  EXPECT_EQ(&learner_->publisher(), &service_);
  EXPECT_EQ(Refusal(), "rank 0 broadcasts");
}

// A worker that starts while the learner is away goes on without a preflight.
TEST_F(GangRolesTest, NoPreflightWithoutALearner) {
  const std::unique_ptr<WorkerGang> worker = OpenWorker();
  ASSERT_NE(worker, nullptr);
  worker->Preflight();
  EXPECT_THAT(metrics_.Render(), Not(HasSubstr("lvrpo_rollout_weight_gather_seconds")));
}

}  // namespace
}  // namespace lvrpo
