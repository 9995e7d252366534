#include "coordinator/scaling/scaler_service.h"

#include <thread>

#include "common/net/rpc.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace lvrpo {
namespace {

using ::testing::HasSubstr;
namespace keda = externalscaler;

class ScalerServiceTest : public ::testing::Test {
 protected:
  static ScalerService::Options Quick() {
    ScalerService::Options options;
    options.max_streams = 2;
    options.look = absl::Milliseconds(2);
    return options;
  }
  void Set(absl::StatusOr<PoolSizes> sizes) {
    absl::MutexLock lock(&mutex_);
    sizes_ = std::move(sizes);
  }
  static keda::ScaledObjectRef Pool(const std::string& pool) {
    keda::ScaledObjectRef object;
    object.set_name("lvrpo-rollout");
    object.set_namespace_("lvrpo");
    (*object.mutable_scalermetadata())["scalerAddress"] = "coordinator:7070";
    (*object.mutable_scalermetadata())["pool"] = pool;
    return object;
  }
  grpc::Status IsActive(const std::string& pool, bool* active) {
    const auto context = MakeContext(absl::Seconds(10));
    keda::IsActiveResponse response;
    const grpc::Status status = stub_->IsActive(context.get(), Pool(pool), &response);
    *active = response.result();
    return status;
  }
  grpc::Status GetMetrics(const std::string& pool, const std::string& name,
                          keda::GetMetricsResponse* response) {
    keda::GetMetricsRequest request;
    *request.mutable_scaledobjectref() = Pool(pool);
    request.set_metricname(name);
    const auto context = MakeContext(absl::Seconds(10));
    return stub_->GetMetrics(context.get(), request, response);
  }

  absl::Mutex mutex_;
  absl::StatusOr<PoolSizes> sizes_ = PoolSizes{.known = true, .rollout = 5, .reward = 2};
  ScalerService service_{[this] {
                           absl::MutexLock lock(&mutex_);
                           return sizes_;
                         },
                         Quick()};
  std::unique_ptr<RpcServer> server_ = *RpcServer::Start({}, {&service_});
  std::unique_ptr<keda::ExternalScaler::Stub> stub_ =
      keda::ExternalScaler::NewStub(MakeChannel(server_->address(), 4));
};

TEST_F(ScalerServiceTest, TellsTheReplicasThatAPoolShouldHave) {
  const auto context = MakeContext(absl::Seconds(10));
  keda::GetMetricSpecResponse spec;
  ASSERT_TRUE(stub_->GetMetricSpec(context.get(), Pool("rollout"), &spec).ok());
  ASSERT_EQ(spec.metricspecs_size(), 1);
  EXPECT_EQ(spec.metricspecs(0).targetsize(), 1);
  EXPECT_EQ(spec.metricspecs(0).targetsizefloat(), 1);
  for (const auto& [pool, size] : {std::pair("rollout", 5), std::pair("reward", 2)}) {
    keda::GetMetricsResponse metrics;
    ASSERT_TRUE(GetMetrics(pool, std::string("lvrpo-") + pool + "-replicas", &metrics).ok());
    ASSERT_EQ(metrics.metricvalues_size(), 1);
    EXPECT_EQ(metrics.metricvalues(0).metricvalue(), size);
    EXPECT_EQ(metrics.metricvalues(0).metricvaluefloat(), size);
    bool active = false;
    ASSERT_TRUE(IsActive(pool, &active).ok());
    EXPECT_TRUE(active);
  }
  Set(PoolSizes{.known = true});
  bool active = true;
  ASSERT_TRUE(IsActive("rollout", &active).ok());
  EXPECT_FALSE(active);
}

TEST_F(ScalerServiceTest, RefusesWhatItDoesNotKnow) {
  keda::GetMetricsResponse metrics;
  const grpc::Status pool = GetMetrics("learner", "", &metrics);
  EXPECT_EQ(pool.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(pool.error_message(), HasSubstr("\"learner\", which is neither rollout nor reward"));
  EXPECT_THAT(GetMetrics("reward", "cpu", &metrics).error_message(),
              HasSubstr("it is lvrpo-reward-replicas"));
  keda::IsActiveResponse response;
  const auto context = MakeContext(absl::Seconds(10));
  EXPECT_THAT(stub_->IsActive(context.get(), keda::ScaledObjectRef(), &response).error_message(),
              HasSubstr("lacks \"pool\""));
}

TEST_F(ScalerServiceTest, SaysNothingWhileTheSizesAreNotKnown) {
  bool active = false;
  Set(PoolSizes{});
  EXPECT_EQ(IsActive("rollout", &active).error_code(), grpc::StatusCode::UNAVAILABLE);
  Set(absl::UnavailableError("starting"));
  EXPECT_EQ(IsActive("rollout", &active).error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(ScalerServiceTest, PushesEachChange) {
  const auto context = MakeContext(absl::Seconds(10));
  Set(PoolSizes{});
  const auto stream = stub_->StreamIsActive(context.get(), Pool("rollout"));
  keda::IsActiveResponse response;
  for (const int64_t size : {1, 0, 3}) {
    Set(PoolSizes{.known = true, .rollout = size});
    ASSERT_TRUE(stream->Read(&response));
    EXPECT_EQ(response.result(), size > 0);
  }
  service_.End();
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(ScalerServiceTest, ServesSoManyStreamsAndForgetsThoseThatAreGone) {
  const auto first = MakeContext(absl::Seconds(10)), second = MakeContext(absl::Seconds(10));
  keda::IsActiveResponse response;
  auto one = stub_->StreamIsActive(first.get(), Pool("rollout"));
  ASSERT_TRUE(one->Read(&response));
  auto two = stub_->StreamIsActive(second.get(), Pool("reward"));
  ASSERT_TRUE(two->Read(&response));
  const auto third = MakeContext(absl::Seconds(10));
  EXPECT_EQ(stub_->StreamIsActive(third.get(), Pool("reward"))->Finish().error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
  first->TryCancel();
  (void)one->Finish();
  grpc::StatusCode code = grpc::StatusCode::RESOURCE_EXHAUSTED;
  while (code == grpc::StatusCode::RESOURCE_EXHAUSTED) {  // the server hears of it a moment later
    const auto again = MakeContext(absl::Seconds(10));
    const auto stream = stub_->StreamIsActive(again.get(), Pool("rollout"));
    const bool served = stream->Read(&response);
    if (served) again->TryCancel();
    code = served ? grpc::StatusCode::OK : stream->Finish().error_code();
  }
  EXPECT_EQ(code, grpc::StatusCode::OK);
  service_.End();
}

}  // namespace
}  // namespace lvrpo
