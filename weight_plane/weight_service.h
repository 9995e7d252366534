#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "common/net/call_watch.h"
#include "proto/lvrpo/v1/weights.grpc.pb.h"
#include "weight_plane/kept_versions.h"
#include "weight_plane/weight_transport.h"

namespace lvrpo {

// Streams kept versions over gRPC, from the memory that they lie in: v1::WeightSource, with messages that
// refer to the bytes instead of having copies of them. Thread-safe.
class WeightService final : public grpc::Service, public WeightPublisher {
 public:
  // `watch` bounds the streams, and must outlive it: one too many is refused with ResourceExhausted. `kept`:
  // how many versions can be fetched. `on_bytes` is told of bytes sent, from gRPC's threads; it may be null.
  WeightService(CallWatch& watch, size_t kept, std::function<void(int64_t)> on_bytes = nullptr);

  void Publish(std::shared_ptr<const PackedWeights> weights) override { kept_.Keep(std::move(weights)); }

 private:
  grpc::Status GiveManifest(const v1::GetManifestRequest& request, v1::WeightManifest* response) const;
  grpc::Status Stream(grpc::ServerContext* context, const v1::StreamWeightsRequest& request,
                      grpc::ServerWriter<grpc::ByteBuffer>& writer);

  const std::string get_manifest_, stream_weights_;  // the methods' names, which gRPC only points at
  CallWatch& watch_;
  const std::function<void(int64_t)> on_bytes_;
  KeptVersions kept_;
};

// Streams that one process serves at once. Few, so that each is fast, and those it has served serve others.
inline constexpr int kMostWeightStreams = 4;

}  // namespace lvrpo
