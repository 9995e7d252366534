#include "weight_plane/resuming_fetch.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "spdlog/spdlog.h"
#include "weight_plane/holders.h"

namespace lvrpo {

ResumingFetch::ResumingFetch(WeightFetcher& transport, Options options)
    : transport_(transport), options_(std::move(options)), random_(options_.seed) {}

absl::Status ResumingFetch::ContinueFrom(WeightFetcher& transport, const v1::Member& holder) {
  const std::unique_ptr<WeightStream> stream =
      transport.Open(holder.address(), partial_->wanted().version.number(), options_.limits);
  const absl::Status status = partial_->Continue(*stream, [&](int64_t bytes) {
    if (options_.on_bytes) options_.on_bytes(bytes, holder.role(), transport.name());
  });
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat(status.message(), " (from ", holder.address(), ")"));
}

bool ResumingFetch::TryFirst(const v1::PoolView& view) {
  for (const v1::Member& holder : view.weight_holders()) {
    if (holder.role() != v1::ROLE_LEARNER) continue;
    const absl::Status status = ContinueFrom(*options_.first, holder);
    if (status.ok()) return true;
    spdlog::info("version {} comes over {} and not {}: {}", partial_->wanted().version.number(),
                 std::string(transport_.name()), std::string(options_.first->name()),
                 std::string(status.message()));
    break;
  }
  return false;
}

VerifiedWeights ResumingFetch::TakeWhole() {
  receive_seconds_ = partial_->receive_seconds();
  verify_seconds_ = partial_->verify_seconds();
  VerifiedWeights weights = std::move(*partial_).Take();
  partial_.reset();
  return weights;
}

absl::StatusOr<VerifiedWeights> ResumingFetch::Fetch(const WantedWeights& wanted,
                                                     const std::function<v1::PoolView()>& view) {
  const std::string& digest = wanted.version.digest();
  if (!partial_.has_value() || partial_->wanted().version.digest() != digest ||
      partial_->wanted().version.number() != wanted.version.number()) {
    partial_.emplace(wanted);
    liars_.clear();
    if (options_.first != nullptr && TryFirst(view())) return TakeWhole();
  }
  std::set<std::string> asked = liars_;
  asked.insert(options_.own_address);
  absl::Status trouble;
  while (true) {
    const v1::PoolView pools = view();
    if (!trouble.ok() && pools.current_version().digest() != digest)
      return absl::AbortedError(absl::StrCat("another version is current: ", trouble.message()));
    const absl::StatusOr<v1::Member> holder = PickHolder(pools, asked, random_.Next());
    if (!holder.ok()) return trouble.ok() ? holder.status() : trouble;
    trouble = ContinueFrom(transport_, *holder);
    if (trouble.ok()) return TakeWhole();
    asked.insert(holder->address());
    if (absl::IsDataLoss(trouble)) liars_.insert(holder->address());
  }
}

}  // namespace lvrpo
