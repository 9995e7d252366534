#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "weight_plane/packed_weights.h"
#include "weight_plane/verified_weights.h"

// How weights get from a holder to those who sample with them. A transport is a publisher on the holder's
// side and a fetcher on the other; it moves bytes, and nothing that it delivers is used before PartialWeights
// has verified it. gRPC: weight_service.h and weight_client.h; NCCL: gang/. All pass the same tests
// (tests/weight_plane/transport_test.cc).
namespace lvrpo {

// Offers versions to fetchers. Thread-safe.
class WeightPublisher {
 public:
  virtual ~WeightPublisher() = default;
  // `weights`, not null, are the newest from now on, and can be fetched.
  virtual void Publish(std::shared_ptr<const PackedWeights> weights) = 0;
};

// How long a stream may take. What takes longer ends with DeadlineExceeded.
struct StreamLimits {
  absl::Duration whole;    // from its first call to its last byte
  absl::Duration silence;  // until the next bytes, or the manifest, are here
};

// Fetches versions from holders. Thread-safe.
class WeightFetcher {
 public:
  virtual ~WeightFetcher() = default;
  // "grpc", "nccl": for logs and metrics.
  virtual absl::string_view name() const = 0;
  // A stream of version `number` from `holder` (host:port). Nothing is asked for yet.
  virtual std::unique_ptr<WeightStream> Open(const std::string& holder, int64_t number,
                                             const StreamLimits& limits) = 0;
};

}  // namespace lvrpo
