#include "weight_plane/gang/worker_gang.h"

#include <string>
#include <utility>

#include "absl/memory/memory.h"
#include "spdlog/spdlog.h"

namespace lvrpo {

std::unique_ptr<WorkerGang> WorkerGang::Open(const v1::RunConfig& config, Run run, WeightFetcher& manifests,
                                             Metrics& metrics) {
  if (config.weights().transport() != "nccl") return nullptr;
  absl::StatusOr<std::unique_ptr<GangGear>> gear = OpenGangGear(config.rollout().device());
  if (!gear.ok()) {
    const std::string why(gear.status().message());
    spdlog::log(absl::IsNotFound(gear.status()) ? spdlog::level::info : spdlog::level::warn,
                "this worker fetches weights over gRPC and not NCCL: {}", why);
    return nullptr;
  }
  return absl::WrapUnique(new WorkerGang(config, std::move(run), *std::move(gear), manifests, metrics));
}

WorkerGang::WorkerGang(const v1::RunConfig& config, Run run, std::unique_ptr<GangGear> gear,
                       WeightFetcher& manifests, Metrics& metrics)
    : config_(config),
      run_(std::move(run)),
      gear_(std::move(gear)),
      client_(config.rpc()),
      member_(
          {.self = gear_->self, .fence = run_.fence, .stop = run_.stop, .patience = GatherPatience(config)},
          gear_->Place(config.rpc()), manifests,
          [this](const std::string& address, const v1::AskGangRequest& request) {
            return client_.Ask(address, request, absl::Seconds(config_.rpc().timeout_seconds()));
          },
          metrics) {}

std::string WorkerGang::AwaitLearner() {
  const Waiting& waiting = run_.waiting;
  const absl::Time deadline = waiting.clock->Now() + absl::Seconds(config_.weights().gather_seconds());
  for (;; waiting.sleep(absl::Milliseconds(50))) {
    const v1::PoolView view = run_.view();
    for (const v1::Member& learner : view.learners()) {
      if (learner.rank() == 0) return learner.address();
    }
    if (run_.stop() || waiting.clock->Now() >= deadline) return "";
  }
}

void WorkerGang::Preflight() {
  const std::string learner = AwaitLearner();
  if (learner.empty()) return;
  const absl::Status status = member_.Measure(learner, LongestBroadcast(config_.rpc()));
  if (status.ok()) {
    spdlog::info("this worker takes weights over NCCL, as the preflight has shown");
  } else if (absl::IsUnavailable(status) || absl::IsCancelled(status)) {
    spdlog::info("no preflight over NCCL: {}", std::string(status.message()));
  } else {
    spdlog::warn("the preflight over NCCL failed: {}; weights come over gRPC until a broadcast succeeds",
                 std::string(status.message()));
  }
}

}  // namespace lvrpo
