#include "weight_plane/weight_transport.h"

#include "absl/strings/str_cat.h"

namespace lvrpo {

absl::StatusOr<VerifiedWeights> WeightFetcher::Fetch(const std::string& holder, const WantedWeights& wanted,
                                                     absl::Duration deadline,
                                                     const std::function<void(int64_t)>& on_bytes) {
  const std::unique_ptr<WeightStream> stream = Open(holder, wanted.version.number(), deadline);
  absl::StatusOr<VerifiedWeights> weights = ReceiveWeights(*stream, wanted, on_bytes);
  if (weights.ok()) return weights;
  return absl::Status(weights.status().code(),
                      absl::StrCat(weights.status().message(), " (from ", holder, ")"));
}

}  // namespace lvrpo
