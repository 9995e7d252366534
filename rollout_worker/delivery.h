#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/random.h"
#include "common/telemetry/metrics.h"
#include "proto/lvrpo/v1/coordinator.pb.h"
#include "proto/lvrpo/v1/reward.pb.h"
#include "rollout_worker/generated_group.h"
#include "rollout_worker/held_leases.h"
#include "rollout_worker/lasting_trouble.h"

namespace lvrpo {

// Scores a generated group, uploads its trajectories to the learner and submits it to the coordinator. Each
// call is retried while it can succeed; a revoked lease drops the group; a permanent failure returns the
// lease with the reason. Thread-safe.
class Delivery {
 public:
  // The outside world, as calls: real clients in worker_process.cc, scripts in tests.
  struct Calls {
    std::function<v1::PoolView()> view;
    std::function<absl::StatusOr<v1::ScoreResponse>(const std::string& address, const v1::ScoreRequest&)>
        score;
    std::function<absl::Status(const std::string& address, const v1::UploadHeader&, const std::string& bytes)>
        upload;
    std::function<absl::StatusOr<v1::SubmitGroupResponse>(const v1::SubmitGroupRequest&)> submit;
    std::function<absl::Status(const v1::ReturnLeaseRequest&)> give_back;
    std::function<v1::Fence()> fence;
    std::function<void(absl::Duration)> sleep;
    std::function<bool()> stopping;  // no more retries: return what cannot be delivered at once
  };
  // `seed` of the choice among reward servers: differs between workers, to spread the load.
  Delivery(Calls calls, int attempts, uint64_t seed, HeldLeases& held, DeliveryTroubles& troubles,
           Metrics& metrics, Clock& clock = RealClock())
      : calls_(std::move(calls)),
        attempts_(attempts),
        held_(held),
        troubles_(troubles),
        metrics_(metrics),
        clock_(clock),
        random_(seed) {}

  // Returns the outcome: "accepted", a retirement reason, "revoked", or why the lease was returned.
  std::string Deliver(const GeneratedGroup& group);

  // Returns the lease to the coordinator; gives the text before the first colon of `reason`.
  std::string GiveBack(const v1::Lease& lease, v1::ReturnReason reason, const std::string& detail = "");

 private:
  // The phases of Deliver(); its outcome.
  std::string Carry(const GeneratedGroup& group);
  // The outcome of a group that got no scores, or did not reach the learner: its lease is returned, unless it
  // was revoked.
  std::string Unscored(const v1::Lease& lease, const absl::Status& why);
  std::string NotUploaded(const v1::Lease& lease, const absl::Status& why);
  absl::StatusOr<v1::ScoreResponse> Score(const GeneratedGroup& group);
  absl::Status Upload(const GeneratedGroup& group, const std::string& bytes, const std::string& digest);
  // Notes a failed call; logs it when due.
  static void Complain(LastingTrouble& trouble, const std::string& why);
  // Waits longer each time; false when out of retries. `hint`: the retry delay of a full server.
  bool Pause(int attempt, absl::Duration hint = absl::ZeroDuration());
  uint64_t NextRandom();

  const Calls calls_;
  const int attempts_;  // of each call, before the lease is returned
  HeldLeases& held_;
  DeliveryTroubles& troubles_;
  Metrics& metrics_;
  Clock& clock_;
  absl::Mutex mutex_;
  Random random_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace lvrpo
