#include "rollout_worker/policy_holder.h"

#include "absl/strings/str_cat.h"
#include "common/stopwatch.h"
#include "policy/run_policy.h"
#include "spdlog/spdlog.h"
#include "weight_plane/weight_buckets.h"

namespace lvrpo {

namespace {

bool SameVersion(const v1::PolicyVersion& a, const v1::PolicyVersion& b) {
  return a.number() == b.number() && a.digest() == b.digest();
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Policy>> MakePolicy(const Bagel& base, const TensorMap& trained,
                                                         const v1::PolicyVersion& version) {
  absl::StatusOr<Bagel> model =
      WithPublished(base, trained, absl::StrCat("weights of version ", version.number()));
  if (!model.ok()) return model.status();
  return std::make_shared<const Policy>(Policy{*std::move(model), version});
}

PolicyHolder::PolicyHolder(Bagel base, ShapeMap trained, std::shared_ptr<const Policy> initial, Calls calls,
                           Metrics& metrics)
    : base_(std::move(base)),
      trained_(std::move(trained)),
      calls_(std::move(calls)),
      metrics_(metrics),
      current_(std::move(initial)) {}

std::shared_ptr<const Policy> PolicyHolder::current() const {
  absl::MutexLock lock(&mutex_);
  return current_;
}

std::shared_ptr<const Policy> PolicyHolder::acknowledged(int64_t incarnation) const {
  absl::MutexLock lock(&mutex_);
  return acknowledged_as_ == incarnation && SameVersion(acknowledged_, current_->version) ? current_
                                                                                          : nullptr;
}

std::string PolicyHolder::trouble() const {
  absl::MutexLock lock(&mutex_);
  return trouble_;
}

absl::StatusOr<std::shared_ptr<const Policy>> PolicyHolder::Build(const VerifiedWeights& weights,
                                                                  const v1::PolicyVersion& version) const {
  const TensorMap tensors = UnpackWeights(weights);
  for (const auto& [name, tensor] : tensors) {
    if (!torch::isfinite(tensor).all().item<bool>())
      return absl::DataLossError(absl::StrCat(name, " holds numbers that are not finite"));
  }
  return MakePolicy(base_, tensors, version);
}

absl::Status PolicyHolder::Bring(const v1::PolicyVersion& wanted) {
  const Stopwatch watch;
  {
    absl::MutexLock lock(&mutex_);
    if (!refusal_.ok() && SameVersion(refused_, wanted)) return refusal_;
  }
  const absl::StatusOr<VerifiedWeights> weights = calls_.fetch({.version = wanted, .shapes = trained_});
  if (!weights.ok()) {
    metrics_.Counter("lvrpo_rollout_weight_failures_total").Increment();
    return weights.status();
  }
  absl::StatusOr<std::shared_ptr<const Policy>> policy = Build(*weights, wanted);
  if (!policy.ok()) {
    metrics_.Counter("lvrpo_rollout_weight_failures_total").Increment();
    absl::MutexLock lock(&mutex_);
    refused_ = wanted;
    refusal_ = policy.status();
    return refusal_;
  }
  Swap(*std::move(policy));
  calls_.offer(weights->packed());
  metrics_.Seconds("lvrpo_rollout_weight_seconds").Observe(watch.Seconds());
  return absl::OkStatus();
}

void PolicyHolder::Swap(std::shared_ptr<const Policy> policy) {
  const Stopwatch watch;  // for which the sampler may wait: it asks for the current version under this lock
  {
    absl::MutexLock lock(&mutex_);
    current_.swap(policy);
  }
  metrics_.Seconds("lvrpo_rollout_weight_pause_seconds").Observe(watch.Seconds());
}

absl::Status PolicyHolder::Update(const v1::PolicyVersion& wanted, int64_t incarnation) {
  absl::Status status;
  if (!SameVersion(current()->version, wanted)) status = Bring(wanted);
  if (status.ok() && acknowledged(incarnation) == nullptr) {
    status = calls_.acknowledge(wanted);
    if (status.ok()) {
      metrics_.Gauge("lvrpo_rollout_version").Set(static_cast<double>(wanted.number()));
    }
    absl::MutexLock lock(&mutex_);
    if (status.ok()) {
      acknowledged_ = wanted;
      acknowledged_as_ = incarnation;
    }
  }
  absl::MutexLock lock(&mutex_);
  trouble_ = std::string(status.message());
  return status;
}

void PolicyHolder::Follow(MemberSession& session, const std::function<bool()>& stop) {
  int64_t seen = 0;
  std::string complained;
  while (!stop() && session.lost().ok()) {
    const v1::PolicyVersion wanted = session.view().current_version();
    if (!wanted.digest().empty()) {
      const absl::Status status = Update(wanted, session.fence().incarnation());
      // When all holders are busy, it is this worker's turn soon.
      if (!status.ok() && !absl::IsResourceExhausted(status) && complained != status.message()) {
        complained = std::string(status.message());
        spdlog::warn("weights of version {} could not be taken: {}", wanted.number(), complained);
      }
    }
    seen = session.WaitForView(seen, absl::Milliseconds(200));
  }
}

}  // namespace lvrpo
