#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "weight_plane/packed_weights.h"
#include "weight_plane/wanted_weights.h"

namespace lvrpo {

// One version on its way from a holder, as a transport delivers it: nothing in it is trusted. One thread.
class WeightStream {
 public:
  virtual ~WeightStream() = default;
  // The version's manifest. NotFound when the holder does not have the version.
  virtual absl::StatusOr<v1::WeightManifest> Manifest() = 0;
  // Writes the bytes of `bucket` from `offset` on to the begin of `into`, which has room for the rest of the
  // bucket, and returns how many came: at least one. Buckets are read one after another, from any on, each
  // from its first byte. Nothing is transferred before the first call. DataLoss when something else comes;
  // NotFound when the holder does not have the version, ResourceExhausted when it serves as many as it can.
  virtual absl::StatusOr<size_t> Read(int64_t bucket, int64_t offset, std::span<char> into) = 0;
};

// Weights that are what was asked for, byte by byte. PartialWeights alone makes them.
class VerifiedWeights {
 public:
  const v1::WeightManifest& manifest() const { return packed_->manifest; }
  const std::vector<Bucket>& buckets() const { return packed_->buckets; }
  // The same, to be served to others. Not null.
  const std::shared_ptr<const PackedWeights>& packed() const { return packed_; }

 private:
  friend class PartialWeights;
  explicit VerifiedWeights(PackedWeights packed)
      : packed_(std::make_shared<const PackedWeights>(std::move(packed))) {}
  std::shared_ptr<const PackedWeights> packed_;
};

// A version as far as it has been received and verified: the one place where weights are verified. A stream
// that breaks costs what came of the bucket in progress; the next stream, of the same holder or another,
// continues with the first bucket that is not verified. One thread.
class PartialWeights {
 public:
  explicit PartialWeights(WantedWeights wanted) : wanted_(std::move(wanted)) {}

  const WantedWeights& wanted() const { return wanted_; }

  // Receives what is missing. OK when nothing is. DataLoss unless the manifest has the wanted digest and
  // announces exactly the wanted tensors and no byte more (checked before memory is taken and before the
  // first byte is asked for), and every bucket matches its SHA-256. Errors of the stream are passed on.
  // `on_bytes` is told of bytes as they come; it may be null.
  absl::Status Continue(WeightStream& stream, const std::function<void(int64_t)>& on_bytes);
  // What Continue() has made whole; call it once, after Continue() returned OK.
  VerifiedWeights Take() &&;

  // Seconds of all streams so far: in which bytes were waited for and copied, and for which threads hashed,
  // which they do meanwhile.
  double receive_seconds() const { return receive_seconds_; }
  double verify_seconds() const { return verify_seconds_; }

 private:
  absl::Status AskForManifest(WeightStream& stream);
  absl::Status Damaged(absl::string_view what) const;

  const WantedWeights wanted_;
  std::optional<v1::WeightManifest> manifest_;  // checked
  std::vector<Bucket> verified_;                // the first ones of the manifest
  double receive_seconds_ = 0, verify_seconds_ = 0;
};

}  // namespace lvrpo
