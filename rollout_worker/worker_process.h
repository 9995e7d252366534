#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/flags/role_flags.h"
#include "common/net/call_watch.h"
#include "common/shutdown.h"
#include "learner/client.h"
#include "proto/lvrpo/v1/config.pb.h"
#include "reward_server/client.h"
#include "role/role_process.h"
#include "rollout_worker/backoff.h"
#include "rollout_worker/delivery.h"
#include "rollout_worker/delivery_thread.h"
#include "rollout_worker/held_leases.h"
#include "rollout_worker/lasting_trouble.h"
#include "rollout_worker/policy_holder.h"
#include "rollout_worker/sampling.h"
#include "rollout_worker/worker.h"
#include "weight_plane/gang/worker_gang.h"
#include "weight_plane/resuming_fetch.h"
#include "weight_plane/weight_client.h"
#include "weight_plane/weight_service.h"

namespace lvrpo {

// A rollout worker's process: one thread follows the weights, one samples, one delivers; gRPC's serve the
// weights in use to other workers.
class WorkerProcess {
 public:
  // All must outlive it.
  WorkerProcess(const RoleFlags& flags, const v1::RunConfig& config, const Sampling& sampling,
                ShutdownSignal& shutdown, RoleHealth& health);

  // Joins the run, samples until it has finished, drains or `shutdown` is requested, delivers what it holds,
  // and leaves. Aborted: it could not sample any more; otherwise the error that ended its membership.
  absl::Status Run();

 private:
  absl::Status Join();
  // What the parts below are given to reach the rest of the run.
  absl::StatusOr<VerifiedWeights> Fetch(const WantedWeights& wanted);
  ResumingFetch::Options FetchOptions();
  WorkerGang::Run GangRun();
  // Serves the weights in use to others, if they can reach this process.
  void Offer(std::shared_ptr<const PackedWeights> weights);
  absl::Status Acknowledge(const v1::PolicyVersion& version);
  std::optional<ReadyPolicy> AcknowledgedPolicy() const;
  Delivery::Calls DeliveryCalls();
  Worker::Calls WorkerCalls();
  MemberSession::Report Report();
  bool Leaving() const;
  MemberSession& session() const { return process_->session(); }

  const RoleFlags& flags_;
  const v1::RunConfig& config_;
  const Sampling& sampling_;
  ShutdownSignal& shutdown_;
  const absl::Duration transfer_deadline_;
  RoleHealth& health_;
  Metrics& metrics_;
  HeldLeases held_;
  Backoff backoff_;
  DeliveryTroubles troubles_;
  LearnerClient learner_;
  RewardClient rewards_;
  CallWatch served_;  // streams of weights to others
  WeightService offered_;
  WeightClient weights_;
  std::unique_ptr<WorkerGang> gang_;    // since Join(), for the follower's thread; null: none for this worker
  std::optional<ResumingFetch> fetch_;  // since Join(), for the follower's thread
  PolicyHolder holder_;
  Delivery delivery_;
  Worker worker_;
  std::atomic<bool> joined_ = false, ended_ = false;  // ended: the loop has returned
  std::atomic<bool> offers_ = false;                  // weights, to others that can reach this process
  std::unique_ptr<RoleProcess> process_;              // its threads use all of the above
  std::optional<DeliveryThread> delivery_thread_;
};

}  // namespace lvrpo
