#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/random.h"
#include "proto/lvrpo/v1/coordinator.pb.h"
#include "weight_plane/verified_weights.h"
#include "weight_plane/weight_transport.h"

namespace lvrpo {

// Fetches versions from whoever holds them. What one holder has sent and was verified stays when its stream
// breaks, also between calls, as long as the same digest is wanted: another holder, or the same one,
// continues after it. One thread.
class ResumingFetch {
 public:
  struct Options {
    std::string own_address;  // of the member that fetches: it does not ask itself
    StreamLimits limits;      // of each stream
    uint64_t seed = 0;        // of the choice between holders
    // Told of bytes as they come, of the holder's role and the transport's name. May be null.
    std::function<void(int64_t bytes, v1::Role holder, absl::string_view transport)> on_bytes = nullptr;
    // Transport to many at once, tried for each version before any other, with the learner as the holder;
    // what it leaves comes from `transport`. Null: there is none.
    WeightFetcher* first = nullptr;
  };
  // `transport`, and `options.first`, must outlive it.
  ResumingFetch(WeightFetcher& transport, Options options);

  // All of `wanted`. Asks each holder of `view` (called before each choice) at most once, in the order of
  // PickHolder; one that has sent wrong weights is not asked again for them. Errors of the last holder,
  // naming it: a caller tries again with a newer view. Unavailable when there was nobody to ask; Aborted when
  // a stream broke and the view has another current version by then.
  absl::StatusOr<VerifiedWeights> Fetch(const WantedWeights& wanted,
                                        const std::function<v1::PoolView()>& view);

  // What the last whole version took, its broken streams included (PartialWeights).
  double receive_seconds() const { return receive_seconds_; }
  double verify_seconds() const { return verify_seconds_; }

 private:
  absl::Status ContinueFrom(WeightFetcher& transport, const v1::Member& holder);
  // Whether all has come that way.
  bool TryFirst(const v1::PoolView& view);
  VerifiedWeights TakeWhole();

  WeightFetcher& transport_;
  const Options options_;
  Random random_;
  std::optional<PartialWeights> partial_;
  std::set<std::string> liars_;  // holders that sent something else than partial_'s version
  double receive_seconds_ = 0, verify_seconds_ = 0;
};

}  // namespace lvrpo
