#include "weight_plane/gang/learner_gang.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "spdlog/spdlog.h"

namespace lvrpo {

LearnerGang::LearnerGang(const v1::RunConfig& config, int rank, WeightPublisher& others, Metrics& metrics)
    : others_(others),
      desk_({.patience = absl::Seconds(config.weights().gather_seconds()),
             .only_host = config.learner().trusted_network() ? "" : HostName()}) {
  const std::string why = Start(config, rank, metrics);
  if (!why.empty()) desk_.Close(why);
}

std::string LearnerGang::Start(const v1::RunConfig& config, int rank, Metrics& metrics) {
  if (config.weights().transport() != "nccl") return "weights.transport is not nccl";
  if (rank > 0) return "rank 0 broadcasts";
  absl::StatusOr<std::unique_ptr<GangGear>> gear = OpenGangGear(config.learner().device());
  if (!gear.ok()) {
    const std::string why(gear.status().message());
    spdlog::warn("weights go over gRPC and not NCCL: {}", why);
    return absl::StrCat("the learner cannot broadcast: ", why);
  }
  gear_ = *std::move(gear);
  spdlog::info("weights are broadcast from {} by NCCL {}", gear_->self.device(), InWords(gear_->library));
  root_ = std::make_unique<GangRoot>(
      GangRoot::Options{.self = gear_->self, .whole = LongestBroadcast(config.rpc())},
      gear_->Place(config.rpc()), desk_, others_, metrics);
  return "";
}

}  // namespace lvrpo
