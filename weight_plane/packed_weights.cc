#include "weight_plane/packed_weights.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/hash.h"
#include "weight_plane/bucket_hashes.h"

namespace lvrpo {

void WeightPacker::Add(const std::string& name, const std::vector<int64_t>& shape, Write write) {
  int64_t size = 4;
  for (const int64_t length : shape) size *= length;
  auto& buckets = *manifest_.mutable_buckets();
  if (buckets.empty() || (buckets.rbegin()->size() > 0 && buckets.rbegin()->size() + size > kBucketBytes)) {
    manifest_.add_buckets();
  }
  v1::BucketEntry& bucket = *buckets.rbegin();
  v1::TensorEntry& entry = *manifest_.add_tensors();
  entry.set_name(name);
  entry.set_dtype("F32");
  *entry.mutable_shape() = {shape.begin(), shape.end()};
  entry.set_bucket(buckets.size() - 1);
  entry.set_offset(bucket.size());
  entry.set_size(size);
  bucket.set_size(bucket.size() + size);
  writes_.push_back(std::move(write));
}

PackedWeights WeightPacker::Seal(int64_t number) && {
  PackedWeights packed = {.manifest = std::move(manifest_), .buckets = {}};
  size_t bytes = 0;
  for (const v1::BucketEntry& bucket : packed.manifest.buckets())
    bytes += packed.buckets.emplace_back(static_cast<size_t>(bucket.size())).size();
  {
    // Each thread writes the entries of buckets that are its own.
    BucketHashes hashes(bytes, [&packed](size_t bucket, const std::string& sha256) {
      packed.manifest.mutable_buckets(static_cast<int>(bucket))->set_sha256(sha256);
    });
    size_t begun = 0;
    const auto begin_up_to = [&](size_t end) {
      for (; begun < end; ++begun) {
        Bucket& bucket = packed.buckets[begun];
        hashes.Begin(begun, bucket.data(), bucket.size());
      }
    };
    for (size_t i = 0; i < writes_.size(); ++i) {
      const v1::TensorEntry& tensor = packed.manifest.tensors(static_cast<int>(i));
      const auto bucket = static_cast<size_t>(tensor.bucket());
      begin_up_to(bucket + 1);
      writes_[i](packed.buckets[bucket].data() + tensor.offset());
      hashes.Filled(static_cast<size_t>(tensor.offset() + tensor.size()));
    }
  }
  packed.manifest.mutable_version()->set_number(number);
  packed.manifest.mutable_version()->set_digest(DigestOfManifest(packed.manifest));
  return packed;
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
