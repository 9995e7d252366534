#include "weight_plane/verified_weights.h"

#include <atomic>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/pause_point.h"
#include "common/stopwatch.h"
#include "weight_plane/bucket_hashes.h"

namespace lvrpo {
namespace {

// Fills `bucket` from the stream, and tells `filled` how far after each piece.
absl::Status Fill(WeightStream& stream, int64_t index, Bucket& bucket,
                  const std::function<absl::Status(size_t filled, size_t piece)>& filled) {
  size_t held = 0;
  while (held < bucket.size()) {
    const absl::StatusOr<size_t> piece = stream.Read(
        index, static_cast<int64_t>(held), std::span<char>(bucket.data() + held, bucket.size() - held));
    if (!piece.ok()) return piece.status();
    held += *piece;
    if (absl::Status status = filled(held, *piece); !status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status PartialWeights::Damaged(absl::string_view what) const {
  return absl::DataLossError(absl::StrCat("weights of version ", wanted_.version.number(), ": ", what));
}

absl::Status PartialWeights::AskForManifest(WeightStream& stream) {
  absl::StatusOr<v1::WeightManifest> manifest = stream.Manifest();
  if (!manifest.ok()) return manifest.status();
  if (absl::Status status = CheckManifest(*manifest, wanted_); !status.ok()) return Damaged(status.message());
  manifest_ = *std::move(manifest);
  return absl::OkStatus();
}

absl::Status PartialWeights::Continue(WeightStream& stream, const std::function<void(int64_t)>& on_bytes) {
  if (!manifest_.has_value()) {
    if (absl::Status status = AskForManifest(stream); !status.ok()) return status;
  }
  const size_t first = verified_.size(), count = static_cast<size_t>(manifest_->buckets_size());
  if (first == count) return absl::OkStatus();
  size_t missing = 0;  // bytes
  for (size_t i = first; i < count; ++i)
    missing += static_cast<size_t>(manifest_->buckets(static_cast<int>(i)).size());
  std::vector<Bucket> received;
  std::vector<std::atomic<bool>> right(count - first);
  std::atomic<int64_t> wrong = -1;
  BucketHashes hashes(missing, [&](size_t index, const std::string& sha256) {
    if (sha256 == manifest_->buckets(static_cast<int>(index)).sha256())
      right[index - first] = true;
    else
      wrong = static_cast<int64_t>(index);
  });
  const auto check = [&]() {
    return wrong < 0 ? absl::OkStatus()
                     : Damaged(absl::StrCat("bucket ", wrong.load(), " does not match its checksum"));
  };
  const Stopwatch watch;
  absl::Status status;
  for (size_t index = first; index < count && status.ok(); ++index) {
    const auto size = static_cast<size_t>(manifest_->buckets(static_cast<int>(index)).size());
    Bucket& bucket = received.emplace_back(size);
    hashes.Begin(index, bucket.data(), size);
    status = Fill(stream, static_cast<int64_t>(index), bucket, [&](size_t filled, size_t piece) {
      PausePoint("fetch");
      hashes.Filled(filled);
      if (on_bytes) on_bytes(static_cast<int64_t>(piece));
      return check();
    });
  }
  receive_seconds_ += watch.Seconds();
  verify_seconds_ += hashes.Finish();
  for (size_t i = 0; i < received.size() && right[i]; ++i) verified_.push_back(std::move(received[i]));
  if (absl::Status damage = check(); !damage.ok()) return damage;
  return status;
}

VerifiedWeights PartialWeights::Take() && {
  return VerifiedWeights({.manifest = *std::move(manifest_), .buckets = std::move(verified_)});
}

}  // namespace lvrpo
