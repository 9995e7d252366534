#include "rollout_worker/policy_holder.h"

#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "model/weight_buckets.h"
#include "spdlog/spdlog.h"

namespace lvrpo {

absl::StatusOr<std::shared_ptr<const Policy>> MakePolicy(const Bagel& base, const TensorMap& trained,
                                                         const v1::PolicyVersion& version) {
  absl::StatusOr<Bagel> model =
      base.WithTensors(trained, absl::StrCat("weights of version ", version.version()));
  if (!model.ok()) return model.status();
  return std::make_shared<const Policy>(Policy{*std::move(model), version});
}

PolicyHolder::PolicyHolder(Bagel base, std::shared_ptr<const Policy> initial, Fetch fetch,
                           std::function<absl::Status(const v1::PolicyVersion&)> acknowledge,
                           Metrics& metrics)
    : base_(std::move(base)),
      fetch_(std::move(fetch)),
      acknowledge_(std::move(acknowledge)),
      metrics_(metrics),
      current_(std::move(initial)) {}

std::shared_ptr<const Policy> PolicyHolder::current() const {
  absl::MutexLock lock(&mutex_);
  return current_;
}

absl::Status PolicyHolder::Update(const v1::PolicyVersion& wanted) {
  const std::shared_ptr<const Policy> held = current();
  if (held->version.digest() != wanted.digest() || held->version.version() != wanted.version()) {
    const absl::Time begin = RealClock().Now();
    absl::StatusOr<LearnerClient::Weights> weights = fetch_(wanted);
    if (!weights.ok()) return weights.status();
    if (absl::Status status = CheckManifest(weights->manifest); !status.ok()) return status;
    if (weights->manifest.version().digest() != wanted.digest()) {
      return absl::DataLossError(absl::StrCat("weights with digest ",
                                              weights->manifest.version().digest().substr(0, 12),
                                              " came instead of ", wanted.digest().substr(0, 12)));
    }
    absl::StatusOr<TensorMap> tensors = UnpackWeights(weights->manifest, weights->buckets);
    if (!tensors.ok()) return tensors.status();
    absl::StatusOr<std::shared_ptr<const Policy>> policy = MakePolicy(base_, *tensors, wanted);
    if (!policy.ok()) return policy.status();
    {
      absl::MutexLock lock(&mutex_);
      current_ = *std::move(policy);
    }
    metrics_.Seconds("lvrpo_rollout_weight_seconds", "Seconds from a new version's announcement to its use.")
        .Observe(absl::ToDoubleSeconds(RealClock().Now() - begin));
  }
  {
    absl::MutexLock lock(&mutex_);
    if (acknowledged_ == wanted.digest()) return absl::OkStatus();
  }
  if (absl::Status status = acknowledge_(wanted); !status.ok()) return status;
  metrics_.Gauge("lvrpo_rollout_version", "Version of the weights in use.")
      .Set(static_cast<double>(wanted.version()));
  absl::MutexLock lock(&mutex_);
  acknowledged_ = wanted.digest();
  return absl::OkStatus();
}

void PolicyHolder::Follow(MemberSession& session, const std::function<bool()>& stop) {
  int64_t seen = 0;
  std::string complained;
  while (!stop() && session.lost().ok()) {
    const v1::PolicyVersion wanted = session.view().current_version();
    if (!wanted.digest().empty()) {
      const absl::Status status = Update(wanted);
      if (!status.ok() && complained != status.message()) {
        complained = std::string(status.message());
        spdlog::warn("weights of version {} could not be taken: {}", wanted.version(), complained);
      }
    }
    seen = session.WaitForView(seen, absl::Milliseconds(200));
  }
}

}  // namespace lvrpo
