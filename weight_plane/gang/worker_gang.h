#pragma once

#include <functional>
#include <memory>

#include "common/clock.h"
#include "common/telemetry/metrics.h"
#include "proto/lvrpo/v1/config.pb.h"
#include "proto/lvrpo/v1/coordinator.pb.h"
#include "weight_plane/gang/gang_client.h"
#include "weight_plane/gang/gang_gear.h"
#include "weight_plane/gang/gang_member.h"
#include "weight_plane/weight_transport.h"

namespace lvrpo {

// What a worker's process needs to take weights from the learner's broadcast. One thread.
class WorkerGang {
 public:
  // How it sees the rest of the run; must stay callable as long as it lives.
  struct Run {
    std::function<v1::Fence()> fence;
    std::function<v1::PoolView()> view;
    std::function<bool()> stop;
    Waiting waiting = {};  // for a learner
  };
  // Null where `config.weights.transport` is not nccl, or this worker has no GPU or no NCCL: a line in the
  // log says why. All must outlive it.
  static std::unique_ptr<WorkerGang> Open(const v1::RunConfig& config, Run run, WeightFetcher& manifests,
                                          Metrics& metrics);

  WeightFetcher& fetcher() { return member_; }
  // Takes part in the preflight of the learner that the run has, or has within weights.gather_seconds. Logs
  // how it went.
  void Preflight();

 private:
  WorkerGang(const v1::RunConfig& config, Run run, std::unique_ptr<GangGear> gear, WeightFetcher& manifests,
             Metrics& metrics);
  std::string AwaitLearner();

  const v1::RunConfig& config_;
  const Run run_;
  const std::unique_ptr<GangGear> gear_;
  GangClient client_;
  GangMember member_;
};

}  // namespace lvrpo
