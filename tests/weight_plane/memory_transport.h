#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "weight_plane/kept_versions.h"
#include "weight_plane/weight_transport.h"

namespace lvrpo {

// Delivers weights as they lie in memory, right or wrong, in pieces of at most `kPiece` bytes without a CRC.
class MemoryWeightStream final : public WeightStream {
 public:
  static constexpr int64_t kPiece = 300000;

  explicit MemoryWeightStream(std::shared_ptr<const PackedWeights> weights) : weights_(std::move(weights)) {}

  absl::StatusOr<v1::WeightManifest> Manifest() override {
    if (weights_ == nullptr) return absl::NotFoundError("not here");
    return weights_->manifest;
  }
  absl::StatusOr<std::optional<WeightPiece>> Next() override {
    while (bucket_ < weights_->buckets.size() && offset_ >= weights_->buckets[bucket_].size()) {
      ++bucket_;
      offset_ = 0;
    }
    if (bucket_ == weights_->buckets.size()) return std::nullopt;
    const absl::string_view bytes = absl::string_view(weights_->buckets[bucket_]).substr(offset_, kPiece);
    const WeightPiece piece = {.bucket = static_cast<int64_t>(bucket_),
                               .offset = static_cast<int64_t>(offset_),
                               .bytes = bytes,
                               .crc32 = std::nullopt};
    offset_ += bytes.size();
    return piece;
  }

 private:
  const std::shared_ptr<const PackedWeights> weights_;
  size_t bucket_ = 0, offset_ = 0;
};

// A transport without a network: both sides are one object. Thread-safe.
class MemoryTransport final : public WeightPublisher, public WeightFetcher {
 public:
  void Publish(std::shared_ptr<const PackedWeights> weights) override { kept_.Keep(std::move(weights)); }

 private:
  std::unique_ptr<WeightStream> Open(const std::string&, int64_t number, absl::Duration) override {
    return std::make_unique<MemoryWeightStream>(kept_.Find(number));
  }
  KeptVersions kept_;
};

}  // namespace lvrpo
