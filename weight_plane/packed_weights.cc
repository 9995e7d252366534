#include "weight_plane/packed_weights.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/hash.h"

namespace lvrpo {

void WeightPacker::Add(const std::string& name, const std::vector<int64_t>& shape, absl::string_view bytes) {
  std::vector<std::string>& buckets = packed_.buckets;
  if (buckets.empty() ||
      (!buckets.back().empty() && buckets.back().size() + bytes.size() > static_cast<size_t>(kBucketBytes))) {
    buckets.emplace_back();
  }
  std::string& bucket = buckets.back();
  v1::TensorEntry& entry = *packed_.manifest.add_tensors();
  entry.set_name(name);
  entry.set_dtype("F32");
  *entry.mutable_shape() = {shape.begin(), shape.end()};
  entry.set_bucket(static_cast<int64_t>(buckets.size()) - 1);
  entry.set_offset(static_cast<int64_t>(bucket.size()));
  entry.set_size(static_cast<int64_t>(bytes.size()));
  bucket.append(bytes.data(), bytes.size());
}

PackedWeights WeightPacker::Seal(int64_t number) && {
  for (const std::string& bucket : packed_.buckets) {
    v1::BucketEntry& entry = *packed_.manifest.add_buckets();
    entry.set_size(static_cast<int64_t>(bucket.size()));
    entry.set_sha256(Sha256Hex(bucket));
  }
  packed_.manifest.mutable_version()->set_number(number);
  packed_.manifest.mutable_version()->set_digest(DigestOfManifest(packed_.manifest));
  return std::move(packed_);
}

std::string DigestOfManifest(const v1::WeightManifest& manifest) {
  Sha256 hash;
  for (const v1::TensorEntry& tensor : manifest.tensors()) {
    hash.Update(absl::StrCat(tensor.name(), "|", tensor.dtype(), "|", tensor.bucket(), "|", tensor.offset(),
                             "|", tensor.size(), "|"));
    for (const int64_t size : tensor.shape()) hash.Update(absl::StrCat(size, ","));
    hash.Update("\n");
  }
  for (const v1::BucketEntry& bucket : manifest.buckets()) {
    hash.Update(absl::StrCat(bucket.size(), "|", bucket.sha256(), "\n"));
  }
  return hash.FinishHex();
}

}  // namespace lvrpo
