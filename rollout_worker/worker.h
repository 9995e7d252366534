#pragma once

#include <functional>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/telemetry/metrics.h"
#include "proto/lvrpo/v1/coordinator.pb.h"
#include "rollout_worker/backoff.h"
#include "rollout_worker/generated_group.h"
#include "rollout_worker/held_leases.h"
#include "rollout_worker/sampling_health.h"

namespace lvrpo {

// Weights that groups may be leased for, and how a group is sampled with them. InvalidArgument: the prompt is
// at fault; other errors are this process's.
struct ReadyPolicy {
  v1::PolicyVersion version;
  std::function<absl::StatusOr<GeneratedGroup>(const v1::Lease&)> sample;
};

// A worker's main loop: lease a group, sample it, hand it over for delivery, until it leaves. One thread;
// waiting_for() may be called from any.
class Worker {
 public:
  // The rest of the process and the world, as calls: worker_process.cc, or a test's script.
  struct Calls {
    std::function<bool()> leaving;                       // begin no other group
    std::function<std::optional<ReadyPolicy>()> policy;  // nullopt until the current weights are acknowledged
    std::function<std::string()> policy_trouble;         // why they are not; may be empty
    std::function<absl::StatusOr<v1::LeaseGroupResponse>(const v1::LeaseGroupRequest&)> lease;
    std::function<void(const v1::Lease&, v1::ReturnReason, const std::string& detail)> return_lease;
    std::function<void(GeneratedGroup)> hand_over;  // to delivery; blocks while too many wait there
    std::function<void(absl::Duration)> sleep;      // lets the clock pass
  };
  // All must outlive it.
  Worker(Calls calls, HeldLeases& held, Backoff& backoff, Clock& clock, Metrics& metrics);

  // Returns OK once it leaves; Aborted when it could not sample too often in a row: the process should end
  // and be started again.
  absl::Status Run();

  // What it waits for, in words, and what kind of thing that is; empty while it samples.
  std::string waiting_for() const;
  v1::Obstacle obstacle() const;

 private:
  // The phases of one group. Each may end the round, having waited.
  bool Rest();
  std::optional<ReadyPolicy> AwaitPolicy();
  std::optional<v1::Lease> Lease(const v1::PolicyVersion& version);
  std::optional<GeneratedGroup> Sample(const ReadyPolicy& policy, const v1::Lease& lease);
  void HandOver(GeneratedGroup group);

  // After a group that this process could not sample: a pause, or the end.
  void Recover(const absl::Status& why);
  void SetWaiting(const std::string& text, v1::Obstacle obstacle = v1::OBSTACLE_UNSPECIFIED);

  const Calls calls_;
  HeldLeases& held_;
  Backoff& backoff_;
  Clock& clock_;
  Metrics& metrics_;
  SamplingHealth health_;
  absl::Status unwell_;  // why it cannot sample any more
  mutable absl::Mutex mutex_;
  std::string waiting_for_ ABSL_GUARDED_BY(mutex_) = "starting";
  v1::Obstacle obstacle_ ABSL_GUARDED_BY(mutex_) = v1::OBSTACLE_UNSPECIFIED;
};

}  // namespace lvrpo
