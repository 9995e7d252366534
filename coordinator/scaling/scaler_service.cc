#include "coordinator/scaling/scaler_service.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "common/files/file_kind.h"
#include "common/net/rpc.h"

namespace lvrpo {
namespace {

constexpr char kRollout[] = "rollout", kReward[] = "reward";

absl::StatusOr<std::string> PoolOf(const externalscaler::ScaledObjectRef& object) {
  const auto pool = object.scalermetadata().find("pool");
  if (pool == object.scalermetadata().end())
    return absl::InvalidArgumentError("the trigger's metadata lacks \"pool\": set it to rollout or reward");
  if (pool->second == kRollout || pool->second == kReward) return pool->second;
  return absl::InvalidArgumentError(absl::StrCat("the trigger's metadata has the pool \"",
                                                 OneLine(pool->second, 64),
                                                 "\", which is neither rollout nor reward"));
}

std::string MetricOf(const std::string& pool) { return absl::StrCat("lvrpo-", pool, "-replicas"); }

}  // namespace

absl::StatusOr<int64_t> ScalerService::SizeOf(const std::string& pool) const {
  const absl::StatusOr<PoolSizes> sizes = source_();
  if (!sizes.ok()) return sizes.status();
  if (!sizes->known)
    return absl::UnavailableError("the coordinator has just started: its members may not have come back");
  return pool == kRollout ? sizes->rollout : sizes->reward;
}

grpc::Status ScalerService::IsActive(grpc::ServerContext*, const externalscaler::ScaledObjectRef* request,
                                     externalscaler::IsActiveResponse* response) {
  const absl::StatusOr<std::string> pool = PoolOf(*request);
  if (!pool.ok()) return ToGrpcStatus(pool.status());
  const absl::StatusOr<int64_t> size = SizeOf(*pool);
  if (!size.ok()) return ToGrpcStatus(size.status());
  response->set_result(*size > 0);
  return grpc::Status::OK;
}

bool ScalerService::Pause() {
  absl::MutexLock lock(&mutex_);
  return !mutex_.AwaitWithTimeout(absl::Condition(&ended_), options_.look);
}

grpc::Status ScalerService::StreamIsActive(grpc::ServerContext* context,
                                           const externalscaler::ScaledObjectRef* request,
                                           grpc::ServerWriter<externalscaler::IsActiveResponse>* writer) {
  const absl::StatusOr<std::string> pool = PoolOf(*request);
  if (!pool.ok()) return ToGrpcStatus(pool.status());
  {
    absl::MutexLock lock(&mutex_);
    if (streams_ >= options_.max_streams)
      return ToGrpcStatus(absl::ResourceExhaustedError("too many streams of autoscalers are open"));
    ++streams_;
  }
  std::optional<bool> told;
  bool hears = true;
  do {
    const absl::StatusOr<int64_t> size = SizeOf(*pool);
    if (!size.ok() || told == (*size > 0)) continue;
    told = *size > 0;
    externalscaler::IsActiveResponse response;
    response.set_result(*told);
    hears = writer->Write(response);
  } while (hears && !context->IsCancelled() && Pause());
  absl::MutexLock lock(&mutex_);
  --streams_;
  return grpc::Status::OK;
}

grpc::Status ScalerService::GetMetricSpec(grpc::ServerContext*,
                                          const externalscaler::ScaledObjectRef* request,
                                          externalscaler::GetMetricSpecResponse* response) {
  const absl::StatusOr<std::string> pool = PoolOf(*request);
  if (!pool.ok()) return ToGrpcStatus(pool.status());
  externalscaler::MetricSpec& spec = *response->add_metricspecs();
  spec.set_metricname(MetricOf(*pool));
  spec.set_targetsize(1);
  spec.set_targetsizefloat(1);
  return grpc::Status::OK;
}

grpc::Status ScalerService::GetMetrics(grpc::ServerContext*, const externalscaler::GetMetricsRequest* request,
                                       externalscaler::GetMetricsResponse* response) {
  const absl::StatusOr<std::string> pool = PoolOf(request->scaledobjectref());
  if (!pool.ok()) return ToGrpcStatus(pool.status());
  if (const std::string& name = request->metricname(); !name.empty() && name != MetricOf(*pool)) {
    return ToGrpcStatus(absl::InvalidArgumentError(
        absl::StrCat("there is no metric \"", OneLine(name, 64), "\": it is ", MetricOf(*pool))));
  }
  const absl::StatusOr<int64_t> size = SizeOf(*pool);
  if (!size.ok()) return ToGrpcStatus(size.status());
  externalscaler::MetricValue& value = *response->add_metricvalues();
  value.set_metricname(MetricOf(*pool));
  value.set_metricvalue(*size);
  value.set_metricvaluefloat(static_cast<double>(*size));
  return grpc::Status::OK;
}

void ScalerService::End() {
  absl::MutexLock lock(&mutex_);
  ended_ = true;
}

}  // namespace lvrpo
