#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "proto/lvrpo/v1/weights.pb.h"
#include "weight_plane/bucket.h"

namespace lvrpo {

// One version of the trained weights as it travels: fp32 tensors in name order, packed into buckets of about
// `kBucketBytes`, each with its SHA-256; the version's digest covers them all. Immutable once made.
struct PackedWeights {
  v1::WeightManifest manifest;
  std::vector<Bucket> buckets;
};

inline constexpr int64_t kBucketBytes = int64_t{4} << 20;

// Makes PackedWeights from tensors. One thread.
class WeightPacker {
 public:
  // Writes a tensor's contiguous little-endian fp32 to `into`, all of them.
  using Write = std::function<void(char* into)>;
  // `write` is called by Seal(), in the order of Add(). A bucket ends before the tensor that does not fit; a
  // tensor larger than a bucket gets a dedicated one. Equal weights have equal digests when they are added in
  // name order.
  void Add(const std::string& name, const std::vector<int64_t>& shape, Write write);
  // All tensors added, as version `number`: bytes are written on the calling thread and hashed on others. The
  // digest does not depend on `number`.
  PackedWeights Seal(int64_t number) &&;

 private:
  v1::WeightManifest manifest_;
  std::vector<Write> writes_;  // of manifest_.tensors()
};

// Lower-case hex SHA-256 over everything that decides the weights: names, dtypes, shapes, places and
// checksums; not the version's number.
std::string DigestOfManifest(const v1::WeightManifest& manifest);

}  // namespace lvrpo
