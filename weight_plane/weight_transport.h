#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "weight_plane/packed_weights.h"
#include "weight_plane/verified_weights.h"

// How weights get from a holder to those who sample with them. A transport is a publisher on the holder's
// side and a fetcher on the other; it moves bytes, and nothing that it delivers is used before ReceiveWeights
// has verified it. gRPC: weight_service.h and weight_client.h. Another transport (NCCL) implements the same
// two and passes the same tests (tests/weight_plane/transport_test.cc).
namespace lvrpo {

// Offers versions to fetchers. Thread-safe.
class WeightPublisher {
 public:
  virtual ~WeightPublisher() = default;
  // `weights`, not null, are the newest from now on. The two newest versions can be fetched.
  virtual void Publish(std::shared_ptr<const PackedWeights> weights) = 0;
};

// Fetches versions from holders. Thread-safe.
class WeightFetcher {
 public:
  virtual ~WeightFetcher() = default;
  // All of `wanted` from `holder` (host:port); blocks until it is here, or for `deadline`. Errors of
  // ReceiveWeights, naming the holder; NotFound when it does not have the version. `on_bytes` as there.
  absl::StatusOr<VerifiedWeights> Fetch(const std::string& holder, const WantedWeights& wanted,
                                        absl::Duration deadline,
                                        const std::function<void(int64_t)>& on_bytes = nullptr);

 private:
  virtual std::unique_ptr<WeightStream> Open(const std::string& holder, int64_t number,
                                             absl::Duration deadline) = 0;
};

}  // namespace lvrpo
