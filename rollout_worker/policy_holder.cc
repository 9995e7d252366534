#include "rollout_worker/policy_holder.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "spdlog/spdlog.h"
#include "weight_plane/weight_buckets.h"

namespace lvrpo {

namespace {

bool SameVersion(const v1::PolicyVersion& a, const v1::PolicyVersion& b) {
  return a.number() == b.number() && a.digest() == b.digest();
}

// Whether a manifest lists exactly the run's own tensors, and no more bytes than they have.
absl::Status CheckShapes(const v1::WeightManifest& manifest, const ShapeMap& expected) {
  int64_t tensor_bytes = 0, bucket_bytes = 0;
  std::set<std::string> names;
  for (const v1::TensorEntry& tensor : manifest.tensors()) {
    const auto own = expected.find(tensor.name());
    if (own == expected.end() || !names.insert(tensor.name()).second ||
        !std::equal(tensor.shape().begin(), tensor.shape().end(), own->second.begin(), own->second.end())) {
      return absl::DataLossError(
          absl::StrCat("the weights hold ", tensor.name(), ", which is no tensor that this run trains"));
    }
    tensor_bytes += tensor.size();
  }
  for (const v1::BucketEntry& bucket : manifest.buckets()) {
    if (bucket.size() < 0 || bucket.size() > tensor_bytes - bucket_bytes) {
      return absl::DataLossError("the weights announce more bytes than their tensors have");
    }
    bucket_bytes += bucket.size();
  }
  if (names.size() == expected.size()) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat("the weights hold ", names.size(), " tensors; this run trains ", expected.size()));
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Policy>> MakePolicy(const Bagel& base, const TensorMap& trained,
                                                         const v1::PolicyVersion& version) {
  absl::StatusOr<Bagel> model =
      base.WithTensors(trained, absl::StrCat("weights of version ", version.number()));
  if (!model.ok()) return model.status();
  return std::make_shared<const Policy>(Policy{*std::move(model), version});
}

PolicyHolder::PolicyHolder(Bagel base, ShapeMap trained, std::shared_ptr<const Policy> initial, Fetch fetch,
                           std::function<absl::Status(const v1::PolicyVersion&)> acknowledge,
                           Metrics& metrics)
    : base_(std::move(base)),
      trained_(std::move(trained)),
      fetch_(std::move(fetch)),
      acknowledge_(std::move(acknowledge)),
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

absl::Status PolicyHolder::Bring(const v1::PolicyVersion& wanted) {
  const absl::Time begin = RealClock().Now();
  const absl::StatusOr<LearnerClient::Weights> weights =
      fetch_(wanted, [this, &wanted](const v1::WeightManifest& manifest) -> absl::Status {
        if (absl::Status status = CheckManifest(manifest); !status.ok()) return status;
        if (manifest.version().digest() == wanted.digest()) return CheckShapes(manifest, trained_);
        return absl::DataLossError(absl::StrCat("weights with digest ",
                                                manifest.version().digest().substr(0, 12),
                                                " came instead of ", wanted.digest().substr(0, 12)));
      });
  if (!weights.ok()) return weights.status();
  const absl::StatusOr<TensorMap> tensors = UnpackWeights(weights->manifest, weights->buckets);
  if (!tensors.ok()) return tensors.status();
  for (const auto& [name, tensor] : *tensors) {
    if (!torch::isfinite(tensor).all().item<bool>())
      return absl::DataLossError(absl::StrCat(name, " holds numbers that are not finite"));
  }
  absl::StatusOr<std::shared_ptr<const Policy>> policy = MakePolicy(base_, *tensors, wanted);
  if (!policy.ok()) return policy.status();
  {
    absl::MutexLock lock(&mutex_);
    current_ = *std::move(policy);
  }
  metrics_.Seconds("lvrpo_rollout_weight_seconds", "Seconds from a new version's announcement to its use.")
      .Observe(absl::ToDoubleSeconds(RealClock().Now() - begin));
  return absl::OkStatus();
}

absl::Status PolicyHolder::Update(const v1::PolicyVersion& wanted, int64_t incarnation) {
  absl::Status status;
  if (!SameVersion(current()->version, wanted)) status = Bring(wanted);
  if (status.ok() && acknowledged(incarnation) == nullptr) {
    status = acknowledge_(wanted);
    if (status.ok()) {
      metrics_.Gauge("lvrpo_rollout_version", "Version of the weights in use.")
          .Set(static_cast<double>(wanted.number()));
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
      if (!status.ok() && complained != status.message()) {
        complained = std::string(status.message());
        spdlog::warn("weights of version {} could not be taken: {}", wanted.number(), complained);
      }
    }
    seen = session.WaitForView(seen, absl::Milliseconds(200));
  }
}

}  // namespace lvrpo
