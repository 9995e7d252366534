#pragma once

#include <memory>
#include <string>

#include "common/net/rpc.h"
#include "weight_plane/weight_transport.h"

namespace lvrpo {

// Fetches weights over gRPC, from whoever serves a WeightService. Thread-safe.
class WeightClient final : public WeightFetcher {
 public:
  explicit WeightClient(const ChannelOptions& options)
      : channels_(options.To({PeerRole::kLearner, PeerRole::kRollout})) {}

  absl::string_view name() const override { return "grpc"; }
  std::unique_ptr<WeightStream> Open(const std::string& holder, int64_t number,
                                     const StreamLimits& limits) override;

 private:
  ChannelCache channels_;
};

}  // namespace lvrpo
