#include "weight_plane/weight_buckets.h"

#include <cstring>
#include <limits>

#include "absl/strings/str_cat.h"
#include "common/hash.h"

namespace lvrpo {
namespace {

// Digest of everything that determines the weights: names, types, shapes, offsets and checksums; not the
// version number.
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

}  // namespace

PackedWeights PackWeights(const TensorMap& tensors, int64_t version) {
  PackedWeights packed;
  for (const auto& [name, tensor] : tensors) {
    const torch::Tensor flat = tensor.detach().to(torch::kCPU, torch::kFloat32).contiguous();
    const int64_t size = flat.numel() * 4;
    if (packed.buckets.empty() ||
        (!packed.buckets.back().empty() &&
         static_cast<int64_t>(packed.buckets.back().size()) + size > kBucketBytes)) {
      packed.buckets.emplace_back();
    }
    std::string& bucket = packed.buckets.back();
    v1::TensorEntry& entry = *packed.manifest.add_tensors();
    entry.set_name(name);
    entry.set_dtype("F32");
    for (const int64_t dimension : flat.sizes()) entry.add_shape(dimension);
    entry.set_bucket(static_cast<int64_t>(packed.buckets.size()) - 1);
    entry.set_offset(static_cast<int64_t>(bucket.size()));
    entry.set_size(size);
    bucket.append(static_cast<const char*>(flat.data_ptr()), static_cast<size_t>(size));
  }
  for (const std::string& bucket : packed.buckets) {
    v1::BucketEntry& entry = *packed.manifest.add_buckets();
    entry.set_size(static_cast<int64_t>(bucket.size()));
    entry.set_sha256(Sha256Hex(bucket));
  }
  packed.manifest.mutable_version()->set_number(version);
  packed.manifest.mutable_version()->set_digest(DigestOfManifest(packed.manifest));
  return packed;
}

absl::Status CheckManifest(const v1::WeightManifest& manifest) {
  const auto damaged = [&](const std::string& what) {
    return absl::DataLossError(
        absl::StrCat("manifest of weight version ", manifest.version().number(), ": ", what));
  };
  if (DigestOfManifest(manifest) != manifest.version().digest()) return damaged("its digest is wrong");
  for (const v1::TensorEntry& tensor : manifest.tensors()) {
    if (tensor.dtype() != "F32") return damaged(absl::StrCat(tensor.name(), " has dtype ", tensor.dtype()));
    int64_t elements = 1;
    for (const int64_t size : tensor.shape()) {
      if (size < 0 || (size > 0 && elements > std::numeric_limits<int64_t>::max() / 8 / size)) {
        return damaged(absl::StrCat(tensor.name(), " has an impossible shape"));
      }
      elements *= size;
    }
    if (tensor.bucket() < 0 || tensor.bucket() >= manifest.buckets_size() || tensor.offset() < 0 ||
        tensor.size() != elements * 4 ||
        tensor.offset() > manifest.buckets(static_cast<int>(tensor.bucket())).size() - tensor.size()) {
      return damaged(absl::StrCat(tensor.name(), " lies outside its bucket"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<TensorMap> UnpackWeights(const v1::WeightManifest& manifest,
                                        const std::vector<std::string>& buckets) {
  if (static_cast<int>(buckets.size()) != manifest.buckets_size()) {
    return absl::DataLossError("buckets of the weights are missing");
  }
  TensorMap tensors;
  for (const v1::TensorEntry& entry : manifest.tensors()) {
    torch::Tensor tensor = torch::empty(std::vector<int64_t>(entry.shape().begin(), entry.shape().end()));
    if (entry.size() > 0) {
      std::memcpy(tensor.data_ptr(), buckets[static_cast<size_t>(entry.bucket())].data() + entry.offset(),
                  static_cast<size_t>(entry.size()));
    }
    tensors[entry.name()] = tensor;
  }
  return tensors;
}

}  // namespace lvrpo
