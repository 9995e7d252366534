#pragma once

#include <algorithm>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "weight_plane/kept_versions.h"
#include "weight_plane/weight_transport.h"

namespace lvrpo {

// Delivers weights as they lie in memory, right or wrong, in pieces of at most `kPiece` bytes.
class MemoryWeightStream final : public WeightStream {
 public:
  static constexpr size_t kPiece = 300000;

  explicit MemoryWeightStream(std::shared_ptr<const PackedWeights> weights) : weights_(std::move(weights)) {}

  absl::StatusOr<v1::WeightManifest> Manifest() override {
    if (weights_ == nullptr) return absl::NotFoundError("not here");
    return weights_->manifest;
  }
  absl::StatusOr<size_t> Read(int64_t bucket, int64_t offset, std::span<char> into) override {
    if (weights_ == nullptr) return absl::NotFoundError("not here");
    if (bucket >= static_cast<int64_t>(weights_->buckets.size())) return absl::DataLossError("it has ended");
    const Bucket& from = weights_->buckets[static_cast<size_t>(bucket)];
    const size_t left = from.size() - std::min(from.size(), static_cast<size_t>(offset));
    const size_t size = std::min({left, into.size(), kPiece});
    if (size == 0) return absl::DataLossError("the bucket has ended");
    std::memcpy(into.data(), from.data() + offset, size);
    return size;
  }

 private:
  const std::shared_ptr<const PackedWeights> weights_;
};

// A transport without a network: both sides are one object. Thread-safe.
class MemoryTransport final : public WeightPublisher, public WeightFetcher {
 public:
  void Publish(std::shared_ptr<const PackedWeights> weights) override { kept_.Keep(std::move(weights)); }
  absl::string_view name() const override { return "memory"; }
  std::unique_ptr<WeightStream> Open(const std::string&, int64_t number, const StreamLimits&) override {
    return std::make_unique<MemoryWeightStream>(kept_.Find(number));
  }

 private:
  KeptVersions kept_{2};
};

// Everything that `stream` delivers, verified.
inline absl::StatusOr<VerifiedWeights> ReceiveAll(WeightStream& stream, const WantedWeights& wanted,
                                                  const std::function<void(int64_t)>& on_bytes = nullptr) {
  PartialWeights partial(wanted);
  if (absl::Status status = partial.Continue(stream, on_bytes); !status.ok()) return status;
  return std::move(partial).Take();
}

}  // namespace lvrpo
