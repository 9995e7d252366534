#pragma once

#include <deque>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/telemetry/metrics.h"
#include "learner/call_watch.h"
#include "proto/lvrpo/v1/weights.grpc.pb.h"
#include "weight_plane/weight_buckets.h"

namespace lvrpo {

// Streams the newest versions of the trained weights from memory. Thread-safe.
class WeightService final : public v1::WeightSource::Service {
 public:
  // `watch` bounds the streams. Both must outlive it.
  WeightService(CallWatch& watch, Metrics& metrics) : watch_(watch), metrics_(metrics) {}

  // Makes this version the newest; the two newest are kept.
  void Publish(std::shared_ptr<const PackedWeights> weights);

  grpc::Status GetManifest(grpc::ServerContext*, const v1::GetManifestRequest*, v1::WeightManifest*) override;
  grpc::Status StreamWeights(grpc::ServerContext*, const v1::StreamWeightsRequest*,
                             grpc::ServerWriter<v1::WeightChunk>*) override;

 private:
  // `version` -1: the newest. Null when it is not here.
  std::shared_ptr<const PackedWeights> Find(int64_t version) const;

  CallWatch& watch_;
  Metrics& metrics_;
  mutable absl::Mutex mutex_;
  std::deque<std::shared_ptr<const PackedWeights>> kept_ ABSL_GUARDED_BY(mutex_);  // oldest first
};

}  // namespace lvrpo
