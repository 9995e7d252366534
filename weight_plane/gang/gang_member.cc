#include "weight_plane/gang/gang_member.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/stopwatch.h"
#include "spdlog/spdlog.h"

namespace lvrpo {
namespace {

constexpr absl::Duration kLongPause = absl::Microseconds(500);  // worth a look at whether to stop

// The place, with waits that end when `stop` says so.
NcclPlace Stoppable(NcclPlace place, EndableClock& clock, const std::function<bool()>& stop) {
  Waiting& waiting = place.limits.waiting;
  waiting.sleep = [&clock, stop, sleep = waiting.sleep](absl::Duration pause) {
    if (pause >= kLongPause && stop()) clock.End();
    sleep(pause);
  };
  waiting.clock = &clock;
  return place;
}

}  // namespace

class GangMember::Stream final : public WeightStream {
 public:
  Stream(GangMember& member, std::string holder, int64_t number, const StreamLimits& limits)
      : member_(member),
        holder_(std::move(holder)),
        limits_(limits),
        manifests_(member.manifests_.Open(holder_, number, limits)) {}

  ~Stream() override {
    if (!joined_ || over_) return;
    member_.end_.Break(absl::AbortedError("the receiver has given up"));
    member_.Ended(absl::AbortedError("this worker gave the broadcast up"));
  }

  absl::StatusOr<v1::WeightManifest> Manifest() override {
    absl::StatusOr<v1::WeightManifest> manifest = manifests_->Manifest();
    if (!manifest.ok()) return manifest;
    const v1::PolicyVersion& version = manifest->version();
    // Of another version than it says, the receiver would not read a byte, and the others wait for it.
    if (DigestOfManifest(*manifest) != version.digest()) return manifest;
    const absl::StatusOr<v1::GangPlan> plan = member_.Join(holder_, &version);
    if (!plan.ok()) return plan.status();
    joined_ = true;
    std::vector<int64_t> sizes;
    for (const v1::BucketEntry& bucket : manifest->buckets()) sizes.push_back(bucket.size());
    if (absl::Status status = member_.end_.Expect(sizes, member_.Now() + limits_.whole); !status.ok())
      return status;
    return manifest;
  }

  absl::StatusOr<size_t> Read(int64_t bucket, int64_t offset, std::span<char> into) override {
    if (!joined_) return absl::FailedPreconditionError("a broadcast begins with its manifest");
    absl::StatusOr<size_t> bytes = member_.end_.Next(into);
    if (!bytes.ok() || member_.end_.complete()) {
      over_ = true;
      member_.Ended(bytes.status());
    }
    return bytes;
  }

 private:
  GangMember& member_;
  const std::string holder_;
  const StreamLimits limits_;
  const std::unique_ptr<WeightStream> manifests_;
  bool joined_ = false, over_ = false;
};

GangMember::GangMember(Options options, const NcclPlace& place, WeightFetcher& manifests, Ask ask,
                       Metrics& metrics)
    : options_(std::move(options)),
      clock_(*place.limits.waiting.clock),
      place_(Stoppable(place, clock_, options_.stop)),
      manifests_(manifests),
      ask_(std::move(ask)),
      metrics_(metrics),
      end_(place_) {}

std::unique_ptr<WeightStream> GangMember::Open(const std::string& holder, int64_t number,
                                               const StreamLimits& limits) {
  return std::make_unique<Stream>(*this, holder, number, limits);
}

v1::AskGangRequest GangMember::RequestFor(const v1::PolicyVersion* version) const {
  v1::AskGangRequest request;
  *request.mutable_fence() = options_.fence();
  if (version != nullptr) *request.mutable_version() = *version;
  v1::GangMember& member = *request.mutable_member();
  member = options_.self;
  const NcclMeans means = MeansOf(*place_.library);
  member.set_nccl_version(place_.library->version);
  member.set_can_shrink(means.shrink);
  member.set_can_grow(means.grow);
  member.set_gang(end_.gang());
  member.set_broken(end_.broken());
  return request;
}

absl::StatusOr<v1::GangPlan> GangMember::AskForPlan(const std::string& holder,
                                                    const v1::PolicyVersion* version) {
  const v1::AskGangRequest request = RequestFor(version);
  const absl::Time deadline = Now() + options_.patience;
  for (;;) {
    const absl::StatusOr<v1::AskGangResponse> answer = ask_(holder, request);
    if (!answer.ok()) return answer.status();
    if (answer->answer() == v1::AskGangResponse::TAKE) {
      if (absl::Status status = CheckPlan(answer->plan()); !status.ok()) return status;
      return answer->plan();
    }
    if (answer->answer() != v1::AskGangResponse::WAIT) return absl::UnavailableError(answer->why());
    if (options_.stop()) return absl::CancelledError("this worker leaves");
    if (Now() >= deadline) return absl::DeadlineExceededError("the broadcast did not begin");
    place_.limits.waiting.sleep(
        std::clamp(absl::Seconds(answer->retry_after_seconds()), absl::Milliseconds(1), absl::Seconds(1)));
  }
}

absl::StatusOr<v1::GangPlan> GangMember::Join(const std::string& holder, const v1::PolicyVersion* version) {
  if (failures_ >= options_.most_failures) return absl::UnavailableError("broadcasts failed too often here");
  const Stopwatch watch(clock_);
  absl::StatusOr<v1::GangPlan> plan = AskForPlan(holder, version);
  metrics_.Seconds("lvrpo_rollout_weight_gather_seconds").Observe(watch.Seconds());
  if (!plan.ok()) return plan;
  if (absl::Status status = end_.Rebuild(*plan); !status.ok()) {
    Ended(status);
    return status;
  }
  return plan;
}

absl::Status GangMember::Measure(const std::string& holder, absl::Duration whole) {
  const absl::StatusOr<v1::GangPlan> plan = Join(holder, nullptr);
  if (!plan.ok()) return plan.status();
  absl::Status status = end_.Barrier();
  if (status.ok()) status = end_.Expect({plan->measured_bytes()}, Now() + whole);
  if (status.ok()) status = ReceiveMeasured(plan->measured_bytes());
  if (status.ok()) status = end_.Barrier();
  if (!status.ok()) end_.Break(status);
  Ended(status);
  return status;
}

absl::Status GangMember::ReceiveMeasured(int64_t bytes) {
  std::vector<char> chunk(static_cast<size_t>(std::min(bytes, kMostChunkBytes)));
  for (int64_t at = 0; at < bytes;) {
    const absl::StatusOr<size_t> came = end_.Next(chunk);
    if (!came.ok()) return came.status();
    for (size_t i = 0; i < *came; ++i, ++at) {
      if (chunk[i] != MeasuredByte(at))
        return absl::DataLossError(absl::StrCat("byte ", at, " of the preflight came as another"));
    }
  }
  return absl::OkStatus();
}

void GangMember::Ended(const absl::Status& status) {
  failures_ = status.ok() ? 0 : failures_ + 1;
  metrics_
      .Counter("lvrpo_rollout_weight_broadcasts_total", {{"outcome", status.ok() ? "complete" : "failed"}})
      .Increment();
  if (failures_ == options_.most_failures) {
    spdlog::warn(
        "broadcasts of weights failed {} times in a row here, at last: {}; from now on this worker fetches "
        "over gRPC",
        failures_, std::string(status.message()));
  }
}

}  // namespace lvrpo
