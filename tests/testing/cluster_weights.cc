#include "tests/testing/cluster_weights.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "common/net/rpc.h"

namespace lvrpo {
namespace {

class Stream final : public WeightStream {
 public:
  Stream(ClusterWorld& world, std::string holder, int64_t number)
      : world_(world), holder_(std::move(holder)), number_(number) {}

  absl::StatusOr<v1::WeightManifest> Manifest() override {
    if (absl::Status status = Ask("GetManifest"); !status.ok()) return status;
    return weights_->manifest;
  }

  absl::StatusOr<size_t> Read(int64_t bucket, int64_t offset, std::span<char> into) override {
    if (!std::exchange(asked_, true)) {
      if (absl::Status status = Ask("StreamWeights"); !status.ok()) return status;
    }
    const Bucket& from = weights_->buckets[static_cast<size_t>(bucket)];
    const size_t size = std::min(from.size() - static_cast<size_t>(offset), into.size());
    std::memcpy(into.data(), from.data() + offset, size);
    return size;
  }

 private:
  absl::Status Ask(const std::string& what) {
    return FromGrpcStatus(world_.messages.Send(holder_, what, [&] {
      const auto kept = world_.weights.find(holder_);
      weights_ = kept == world_.weights.end() ? nullptr : kept->second->Find(number_);
      return ToGrpcStatus(weights_ != nullptr ? absl::OkStatus() : absl::NotFoundError("not that version"));
    }));
  }

  ClusterWorld& world_;
  const std::string holder_;
  const int64_t number_;
  bool asked_ = false;
  std::shared_ptr<const PackedWeights> weights_;
};

}  // namespace

std::unique_ptr<WeightStream> ClusterWeights::Open(const std::string& holder, int64_t number,
                                                   const StreamLimits&) {
  return std::make_unique<Stream>(world_, holder, number);
}

}  // namespace lvrpo
