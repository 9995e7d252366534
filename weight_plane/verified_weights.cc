#include "weight_plane/verified_weights.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/hash.h"

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

// DataLoss unless the manifest announces the wanted version, whole, and no byte more.
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

// Whether a piece continues its bucket as far as the manifest allows, and matches its checksum.
bool Continues(const WeightPiece& piece, const PackedWeights& received) {
  if (piece.bucket < 0 || piece.bucket >= static_cast<int64_t>(received.buckets.size())) return false;
  const auto held = static_cast<int64_t>(received.buckets[static_cast<size_t>(piece.bucket)].size());
  const int64_t size = received.manifest.buckets(static_cast<int>(piece.bucket)).size();
  return piece.offset == held && static_cast<int64_t>(piece.bytes.size()) <= size - held &&
         (!piece.crc32.has_value() || Crc32(piece.bytes) == *piece.crc32);
}

}  // namespace

absl::StatusOr<VerifiedWeights> ReceiveWeights(WeightStream& stream, const WantedWeights& wanted,
                                               const std::function<void(int64_t)>& on_bytes) {
  const auto damaged = [&wanted](absl::string_view what) {
    return absl::DataLossError(absl::StrCat("weights of version ", wanted.version.number(), ": ", what));
  };
  PackedWeights received;
  absl::StatusOr<v1::WeightManifest> manifest = stream.Manifest();
  if (!manifest.ok()) return manifest.status();
  if (absl::Status status = CheckManifest(*manifest, wanted); !status.ok()) return damaged(status.message());
  received.manifest = *std::move(manifest);
  received.buckets.resize(static_cast<size_t>(received.manifest.buckets_size()));
  while (true) {
    const absl::StatusOr<std::optional<WeightPiece>> piece = stream.Next();
    if (!piece.ok()) return piece.status();
    if (!piece->has_value()) break;
    if (!Continues(**piece, received)) return damaged("a damaged piece came");
    const absl::string_view bytes = (*piece)->bytes;
    received.buckets[static_cast<size_t>((*piece)->bucket)].append(bytes.data(), bytes.size());
    if (on_bytes) on_bytes(static_cast<int64_t>(bytes.size()));
  }
  for (size_t i = 0; i < received.buckets.size(); ++i) {
    const v1::BucketEntry& expected = received.manifest.buckets(static_cast<int>(i));
    if (static_cast<int64_t>(received.buckets[i].size()) != expected.size() ||
        Sha256Hex(received.buckets[i]) != expected.sha256()) {
      return damaged(absl::StrCat("bucket ", i, " does not match its checksum"));
    }
  }
  return VerifiedWeights(std::move(received));
}

}  // namespace lvrpo
