#include "rollout_worker/worker.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/files/file_kind.h"
#include "common/telemetry/log_group.h"
#include "spdlog/spdlog.h"

namespace lvrpo {
namespace {

constexpr absl::Duration kBetweenLooks = absl::Milliseconds(100);  // at whether a pause is over
constexpr absl::Duration kPolicyPause = absl::Milliseconds(5);
constexpr absl::Duration kLeasePause = absl::Milliseconds(200);  // after a lease call that failed
constexpr size_t kMostWords = 200;                               // characters of an error, in reports

}  // namespace

Worker::Worker(Calls calls, HeldLeases& held, Backoff& backoff, Clock& clock, Metrics& metrics)
    : calls_(std::move(calls)), held_(held), backoff_(backoff), clock_(clock), metrics_(metrics) {}

std::string Worker::waiting_for() const {
  absl::MutexLock lock(&mutex_);
  return waiting_for_;
}

v1::Obstacle Worker::obstacle() const {
  absl::MutexLock lock(&mutex_);
  return obstacle_;
}

void Worker::SetWaiting(const std::string& text, v1::Obstacle obstacle) {
  absl::MutexLock lock(&mutex_);
  waiting_for_ = text;
  obstacle_ = obstacle;
}

bool Worker::Rest() {
  const absl::Duration left = backoff_.Left();
  if (left <= absl::ZeroDuration()) return false;
  SetWaiting(absl::StrCat("a while, because its groups came to nothing: ", backoff_.reason()));
  calls_.sleep(std::min(left, kBetweenLooks));
  return true;
}

std::optional<ReadyPolicy> Worker::AwaitPolicy() {
  std::optional<ReadyPolicy> policy = calls_.policy();
  if (policy.has_value()) return policy;
  if (const std::string why = calls_.policy_trouble(); !why.empty())
    SetWaiting(absl::StrCat("the current weights: ", why), v1::OBSTACLE_WEIGHTS);
  calls_.sleep(kPolicyPause);
  return std::nullopt;
}

std::optional<v1::Lease> Worker::Lease(const v1::PolicyVersion& version) {
  v1::LeaseGroupRequest request;
  *request.mutable_version() = version;
  const absl::Time asked = clock_.Now();
  const absl::StatusOr<v1::LeaseGroupResponse> response = calls_.lease(request);
  if (!response.ok()) {
    if (!calls_.leaving()) calls_.sleep(kLeasePause);
    return std::nullopt;
  }
  if (!response->granted()) {
    SetWaiting(response->waiting_for());
    calls_.sleep(absl::Seconds(std::clamp(response->retry_after_seconds(), 0.01, 1.0)));
    metrics_.Counter("lvrpo_rollout_wait_seconds_total")
        .Increment(absl::ToDoubleSeconds(clock_.Now() - asked));
    return std::nullopt;
  }
  SetWaiting("");
  held_.Add(response->lease().id());
  return response->lease();
}

std::optional<GeneratedGroup> Worker::Sample(const ReadyPolicy& policy, const v1::Lease& lease) {
  absl::StatusOr<GeneratedGroup> group = policy.sample(lease);
  if (group.ok()) {
    health_.Sampled();
    if (group->trajectory.prompt().task() == v1::TASK_KIND_IMAGE) {
      metrics_.Counter("lvrpo_rollout_images_total").Increment(group->trajectory.samples_size());
    }
    return *std::move(group);
  }
  spdlog::error("ordinal {} cannot be sampled: {}", lease.id().ordinal(),
                std::string(group.status().message()));
  const bool bad_data = absl::IsInvalidArgument(group.status());
  calls_.return_lease(lease, bad_data ? v1::RETURN_BAD_PROMPT : v1::RETURN_WORKER_FAILED,
                      std::string(group.status().message()));
  held_.Remove(lease.id());
  if (!bad_data) Recover(group.status());
  return std::nullopt;
}

void Worker::Recover(const absl::Status& why) {
  const std::optional<absl::Duration> pause = health_.Failed();
  if (!pause.has_value()) {
    unwell_ = absl::AbortedError(absl::StrCat("cannot sample any more: ", why.message()));
    return;
  }
  SetWaiting(absl::StrCat("itself: it could not sample: ", OneLine(why.message(), kMostWords)),
             v1::OBSTACLE_SAMPLING);
  const absl::Time until = clock_.Now() + *pause;
  while (!calls_.leaving() && clock_.Now() < until) calls_.sleep(kBetweenLooks);
}

void Worker::HandOver(GeneratedGroup group) {
  SetWaiting("delivery of the last group");
  calls_.hand_over(std::move(group));
}

absl::Status Worker::Run() {
  while (unwell_.ok() && !calls_.leaving()) {
    if (Rest()) continue;
    const std::optional<ReadyPolicy> policy = AwaitPolicy();
    if (!policy.has_value()) continue;
    const std::optional<v1::Lease> lease = Lease(policy->version);
    if (!lease.has_value()) continue;
    const LogGroup about(lease->id());
    spdlog::debug("samples ordinal {} with version {}", lease->id().ordinal(), lease->version().number());
    std::optional<GeneratedGroup> group = Sample(*policy, *lease);
    if (group.has_value()) HandOver(*std::move(group));
  }
  return unwell_;
}

}  // namespace lvrpo
