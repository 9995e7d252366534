#pragma once

#include <functional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "coordinator/scaling/pool_sizer.h"
#include "proto/externalscaler.grpc.pb.h"

namespace lvrpo {

// Answers KEDA (proto/externalscaler.proto) with the sizes that the pools should have. Unavailable while they
// are not known: KEDA then changes nothing. Reads only. Thread-safe.
class ScalerService final : public externalscaler::ExternalScaler::Service {
 public:
  using Source = std::function<absl::StatusOr<PoolSizes>()>;
  // Each open stream occupies a thread of the server.
  struct Options {
    Options() {}  // NOLINT: GCC 12 warns of designated initializers here
    int max_streams = 16;
    absl::Duration look = absl::Milliseconds(250);  // between two looks at the sizes
  };

  // `source` is called on the server's threads.
  explicit ScalerService(Source source, Options options = Options())
      : source_(std::move(source)), options_(options) {}

  grpc::Status IsActive(grpc::ServerContext*, const externalscaler::ScaledObjectRef*,
                        externalscaler::IsActiveResponse*) override;
  // Ends with End(), and when the caller is gone.
  grpc::Status StreamIsActive(grpc::ServerContext*, const externalscaler::ScaledObjectRef*,
                              grpc::ServerWriter<externalscaler::IsActiveResponse>*) override;
  grpc::Status GetMetricSpec(grpc::ServerContext*, const externalscaler::ScaledObjectRef*,
                             externalscaler::GetMetricSpecResponse*) override;
  grpc::Status GetMetrics(grpc::ServerContext*, const externalscaler::GetMetricsRequest*,
                          externalscaler::GetMetricsResponse*) override;

  // Ends all streams: the server is about to stop.
  void End();

 private:
  absl::StatusOr<int64_t> SizeOf(const std::string& pool) const;
  // Waits; false: End() was called.
  bool Pause();

  const Source source_;
  const Options options_;
  absl::Mutex mutex_;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  int streams_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace lvrpo
