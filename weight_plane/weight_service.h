#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

#include "common/net/call_watch.h"
#include "proto/lvrpo/v1/weights.grpc.pb.h"
#include "weight_plane/kept_versions.h"
#include "weight_plane/weight_transport.h"

namespace lvrpo {

// Streams published weights from memory over gRPC. Thread-safe.
class WeightService final : public v1::WeightSource::Service, public WeightPublisher {
 public:
  // `watch` bounds the streams and must outlive it. `on_bytes` is told of bytes sent, from gRPC's threads;
  // may be null.
  explicit WeightService(CallWatch& watch, std::function<void(int64_t)> on_bytes = nullptr)
      : watch_(watch), on_bytes_(std::move(on_bytes)) {}

  void Publish(std::shared_ptr<const PackedWeights> weights) override { kept_.Keep(std::move(weights)); }

  grpc::Status GetManifest(grpc::ServerContext*, const v1::GetManifestRequest*, v1::WeightManifest*) override;
  grpc::Status StreamWeights(grpc::ServerContext*, const v1::StreamWeightsRequest*,
                             grpc::ServerWriter<v1::WeightChunk>*) override;

 private:
  CallWatch& watch_;
  const std::function<void(int64_t)> on_bytes_;
  KeptVersions kept_;
};

}  // namespace lvrpo
