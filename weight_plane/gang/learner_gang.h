#pragma once

#include <functional>
#include <memory>
#include <string>

#include "common/telemetry/metrics.h"
#include "proto/lvrpo/v1/config.pb.h"
#include "weight_plane/gang/gang_desk.h"
#include "weight_plane/gang/gang_gear.h"
#include "weight_plane/gang/gang_root.h"
#include "weight_plane/gang/gang_service.h"
#include "weight_plane/weight_transport.h"

namespace lvrpo {

// What a learner's process has of the gang, whatever the configuration says: a service that tells workers to
// fetch where there is no broadcast. Thread-safe.
class LearnerGang {
 public:
  // With `config.weights.transport` nccl, on rank 0, it loads NCCL and the GPU; where that fails, a warning
  // says why and weights go over gRPC. All must outlive it.
  LearnerGang(const v1::RunConfig& config, int rank, WeightPublisher& others, Metrics& metrics);

  // What the learner publishes by: `others` where there is no broadcast.
  WeightPublisher& publisher() { return root_ != nullptr ? *root_ : others_; }
  GangService& service() { return service_; }
  // The learner has joined its run, as `fence` says, which must stay callable while calls are served.
  void Open(std::function<v1::Fence()> fence) { desk_.Open(std::move(fence)); }

 private:
  // Why there is no broadcast; empty when there is.
  std::string Start(const v1::RunConfig& config, int rank, Metrics& metrics);

  WeightPublisher& others_;
  GangDesk desk_;
  GangService service_{desk_};
  std::unique_ptr<GangGear> gear_;
  std::unique_ptr<GangRoot> root_;  // null: there is no broadcast
};

}  // namespace lvrpo
