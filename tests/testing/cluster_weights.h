#pragma once

#include <memory>
#include <string>

#include "tests/testing/cluster_world.h"
#include "weight_plane/weight_transport.h"

namespace lvrpo {

// The transport of weights in an in-process cluster: a message asks for the manifest, another for the
// buckets.
class ClusterWeights final : public WeightFetcher {
 public:
  // `world` must outlive it.
  explicit ClusterWeights(ClusterWorld& world) : world_(world) {}
  absl::string_view name() const override { return "cluster"; }
  std::unique_ptr<WeightStream> Open(const std::string& holder, int64_t number,
                                     const StreamLimits& limits) override;

 private:
  ClusterWorld& world_;
};

}  // namespace lvrpo
