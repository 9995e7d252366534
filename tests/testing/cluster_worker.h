#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/telemetry/metrics.h"
#include "rollout_worker/backoff.h"
#include "rollout_worker/delivery.h"
#include "rollout_worker/held_leases.h"
#include "rollout_worker/lasting_trouble.h"
#include "rollout_worker/worker.h"
#include "tests/testing/cluster_member.h"
#include "tests/testing/cluster_weights.h"
#include "tests/testing/cluster_world.h"
#include "weight_plane/resuming_fetch.h"

namespace lvrpo {

// A rollout worker's process without LibTorch: the real loop, leases and delivery around the fake policy
// (fake_policy.h). It delivers a group before it leases the next.
class ClusterWorker {
 public:
  // `world` must outlive it.
  ClusterWorker(ClusterWorld& world, const ClusterProcess& process);
  ~ClusterWorker();

  // Works until the run has finished, and leaves.
  absl::Status Run();

 private:
  Worker::Calls WorkerCalls();
  Delivery::Calls DeliveryCalls();
  bool Leaving() const;
  // What PolicyHolder does: brings, offers and acknowledges the current weights.
  absl::Status FollowPolicy();
  GeneratedGroup Sample(const v1::Lease& lease) const;

  ClusterWorld& world_;
  const std::string address_;
  Metrics metrics_;
  HeldLeases held_;
  Backoff backoff_;
  DeliveryTroubles troubles_;
  ClusterMember member_;
  Delivery delivery_;
  Worker worker_;
  ClusterWeights transport_;
  ResumingFetch fetch_;
  KeptVersions offered_{1};
  std::string weights_;
  v1::PolicyVersion version_;
  int64_t acknowledged_as_ = 0;  // incarnation
};

}  // namespace lvrpo
