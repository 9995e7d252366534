#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/weights/weights.h"
#include "proto/lvrpo/v1/weights.pb.h"

namespace lvrpo {

// One version of the trained weights as it is sent: tensors in name order, packed into buckets of about
// `kBucketBytes`, each with its SHA-256; the version's digest covers them all. Immutable once made.
struct PackedWeights {
  v1::WeightManifest manifest;
  std::vector<std::string> buckets;
};

inline constexpr int64_t kBucketBytes = int64_t{4} << 20;

// `tensors` fp32. The same tensors always give the same digest, whatever the version number.
PackedWeights PackWeights(const TensorMap& tensors, int64_t version);

// DataLoss unless the manifest is consistent: its digest, and every tensor inside its bucket.
absl::Status CheckManifest(const v1::WeightManifest& manifest);

// Copies the tensors out of `buckets`, which must have been checked.
absl::StatusOr<TensorMap> UnpackWeights(const v1::WeightManifest& manifest,
                                        const std::vector<std::string>& buckets);

}  // namespace lvrpo
