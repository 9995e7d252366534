#include "weight_plane/wanted_weights.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <set>

#include "absl/strings/str_cat.h"
#include "weight_plane/packed_weights.h"

namespace lvrpo {
namespace {

int64_t Elements(const std::vector<int64_t>& shape) {
  return std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
}

// DataLoss unless `tensor` is one of the wanted ones, all of it inside a bucket.
absl::Status CheckTensor(const v1::TensorEntry& tensor, const v1::WeightManifest& manifest,
                         const WantedWeights& wanted) {
  const auto own = wanted.shapes.find(tensor.name());
  if (own == wanted.shapes.end() ||
      !std::equal(tensor.shape().begin(), tensor.shape().end(), own->second.begin(), own->second.end())) {
    return absl::DataLossError(
        absl::StrCat(tensor.name(), " is no tensor that this run trains, or has another shape"));
  }
  if (tensor.dtype() != "F32")
    return absl::DataLossError(absl::StrCat(tensor.name(), " has dtype ", tensor.dtype()));
  if (tensor.bucket() < 0 || tensor.bucket() >= manifest.buckets_size() || tensor.offset() < 0 ||
      tensor.size() != 4 * Elements(own->second) ||
      tensor.offset() > manifest.buckets(static_cast<int>(tensor.bucket())).size() - tensor.size()) {
    return absl::DataLossError(absl::StrCat(tensor.name(), " lies outside its bucket"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckManifest(const v1::WeightManifest& manifest, const WantedWeights& wanted) {
  const std::string& digest = manifest.version().digest();
  if (digest != wanted.version.digest() || manifest.version().number() != wanted.version.number()) {
    return absl::DataLossError(absl::StrCat("version ", manifest.version().number(), " with digest ",
                                            digest.substr(0, 12), " came instead of ",
                                            wanted.version.digest().substr(0, 12)));
  }
  if (DigestOfManifest(manifest) != digest) return absl::DataLossError("the manifest's digest is wrong");
  int64_t bytes_left = 0;
  for (const auto& [name, shape] : wanted.shapes) bytes_left += 4 * Elements(shape);
  for (const v1::BucketEntry& bucket : manifest.buckets()) {
    if (bucket.size() < 0 || bucket.size() > bytes_left)
      return absl::DataLossError("the buckets hold more bytes than this run's tensors have");
    bytes_left -= bucket.size();
  }
  std::set<std::string> names;
  for (const v1::TensorEntry& tensor : manifest.tensors()) {
    if (absl::Status status = CheckTensor(tensor, manifest, wanted); !status.ok()) return status;
    if (!names.insert(tensor.name()).second)
      return absl::DataLossError(absl::StrCat(tensor.name(), " is there twice"));
  }
  if (names.size() == wanted.shapes.size()) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat(names.size(), " tensors came; this run trains ", wanted.shapes.size()));
}

}  // namespace lvrpo
