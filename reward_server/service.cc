#include "reward_server/service.h"

#include <algorithm>

#include "common/net/rpc.h"
#include "common/stopwatch.h"
#include "common/telemetry/log_group.h"
#include "common/version.h"
#include "reward_server/decode_request.h"
#include "spdlog/spdlog.h"

namespace lvrpo {
namespace {

constexpr int kDecodersAtOnce = 4;  // requests, each of which may grow to many pixels

// The group that the caller says it asks for; nullopt: none, or not as ToText writes it.
std::optional<GroupId> GroupOf(const grpc::ServerContext& context) {
  const auto found = context.client_metadata().find(kGroupMetadata);
  if (found == context.client_metadata().end()) return std::nullopt;
  return ParseGroupId({found->second.data(), found->second.size()});
}

}  // namespace

void RewardService::Count(const v1::ComponentScore& score) {
  metrics_
      .Counter("lvrpo_reward_items_total",
               {{"component", score.name()}, {"outcome", v1::ComponentScore::Outcome_Name(score.outcome())}})
      .Increment();
  if (score.outcome() != v1::ComponentScore::OK) return;
  metrics_.Counter("lvrpo_reward_score_total", {{"component", score.name()}})
      .Increment(std::max(0.0, static_cast<double>(score.score())));
}

absl::StatusOr<ScoringGroup> RewardService::Decode(const v1::ScoreRequest& request) {
  const auto free = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return decoding_ < kDecodersAtOnce; };
  {
    absl::MutexLock lock(&mutex_, absl::Condition(&free));
    ++decoding_;
  }
  absl::StatusOr<ScoringGroup> group = DecodeRequest(request);
  absl::MutexLock lock(&mutex_);
  --decoding_;
  return group;
}

absl::Status RewardService::Answer(absl::Time deadline, const v1::ScoreRequest& request,
                                   v1::ScoreResponse& response) {
  absl::StatusOr<ScoringGroup> group = Decode(request);
  if (!group.ok()) return group.status();
  absl::StatusOr<v1::ScoreResponse> answer = pool_.Score(*std::move(group), deadline);
  if (!answer.ok()) return answer.status();
  response = *std::move(answer);
  for (const v1::ItemScore& item : response.items()) {
    for (const auto* scores : {&item.scores(), &item.logged()}) {
      for (const v1::ComponentScore& score : *scores) Count(score);
    }
  }
  return absl::OkStatus();
}

grpc::Status RewardService::Score(grpc::ServerContext* context, const v1::ScoreRequest* request,
                                  v1::ScoreResponse* response) {
  const absl::Time deadline = std::min(clock_.Now() + deadline_, absl::FromChrono(context->deadline()));
  const LogGroup about(GroupOf(*context));
  const Stopwatch watch(clock_);
  const absl::Status status = Answer(deadline, *request, *response);
  spdlog::debug("scored {} samples in {:.3f} s: {}", request->items_size(), watch.Seconds(),
                status.ok() ? "ok" : std::string(status.message()));
  metrics_
      .Counter("lvrpo_reward_requests_total",
               {{"outcome", status.ok() ? "ok" : std::string(absl::StatusCodeToString(status.code()))}})
      .Increment();
  return ToGrpcStatus(status);
}

grpc::Status RewardService::GetInfo(grpc::ServerContext*, const v1::GetInfoRequest*,
                                    v1::GetInfoResponse* response) {
  for (const auto& [component, digest] : scorers_.Digests())
    (*response->mutable_scorer_digests())[component] = digest;
  response->set_build_version(kVersion);
  return grpc::Status::OK;
}

}  // namespace lvrpo
