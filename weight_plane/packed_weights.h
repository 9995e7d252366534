#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "proto/lvrpo/v1/weights.pb.h"

namespace lvrpo {

// One version of the trained weights as it travels: fp32 tensors in name order, packed into buckets of about
// `kBucketBytes`, each with its SHA-256; the version's digest covers them all. Immutable once made.
struct PackedWeights {
  v1::WeightManifest manifest;
  std::vector<std::string> buckets;
};

inline constexpr int64_t kBucketBytes = int64_t{4} << 20;

// Makes PackedWeights from tensors given as bytes. Not thread-safe.
class WeightPacker {
 public:
  // `bytes`: contiguous little-endian fp32. A bucket ends before the tensor that does not fit; a tensor
  // larger than a bucket gets a dedicated one. Equal weights have equal digests when they are added in name
  // order.
  void Add(const std::string& name, const std::vector<int64_t>& shape, absl::string_view bytes);
  // All tensors added, as version `number`. The digest does not depend on `number`.
  PackedWeights Seal(int64_t number) &&;

 private:
  PackedWeights packed_;
};

// Lower-case hex SHA-256 over everything that decides the weights: names, dtypes, shapes, places and
// checksums; not the version's number.
std::string DigestOfManifest(const v1::WeightManifest& manifest);

}  // namespace lvrpo
