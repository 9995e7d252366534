#include "reward_server/client.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/telemetry/log_group.h"
#include "proto/lvrpo/v1/reward.grpc.pb.h"

namespace lvrpo {

std::optional<v1::Member> PickServer(const std::vector<v1::Member>& servers,
                                     const std::set<std::string>& excluded, uint64_t random) {
  std::vector<const v1::Member*> candidates;
  for (const v1::Member& server : servers) {
    if (server.state() == "ready" && !excluded.contains(server.member_id())) {
      candidates.push_back(&server);
    }
  }
  if (candidates.empty()) return std::nullopt;
  const size_t first = random % candidates.size();
  if (candidates.size() == 1) return *candidates[0];
  const size_t second = (first + 1 + (random >> 32) % (candidates.size() - 1)) % candidates.size();
  return candidates[second]->load() < candidates[first]->load() ? *candidates[second] : *candidates[first];
}

absl::Status CheckFinite(const v1::ScoreResponse& response) {
  for (int i = 0; i < response.items_size(); ++i) {
    const v1::ItemScore& item = response.items(i);
    bool finite = std::isfinite(item.reward());
    for (const auto* scores : {&item.scores(), &item.logged()}) {
      for (const v1::ComponentScore& score : *scores) finite = finite && std::isfinite(score.score());
    }
    if (!finite)
      return absl::InternalError(absl::StrCat("sample ", i, " has a score that is not a finite number"));
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::ScoreResponse> RewardClient::Score(const std::string& address,
                                                      const v1::ScoreRequest& request,
                                                      absl::Duration deadline) {
  v1::ScoreResponse response;
  const std::unique_ptr<grpc::ClientContext> context = MakeContext(deadline);
  if (const GroupId* group = LogGroup::Current(); group != nullptr) {
    // gRPC ends the process for metadata that is not printable, and the coordinator names the run.
    const std::string text = ToText(*group);
    if (ParseGroupId(text).has_value()) context->AddMetadata(kGroupMetadata, text);
  }
  const grpc::Status status =
      v1::Reward::NewStub(channels_.To(address))->Score(context.get(), request, &response);
  if (!status.ok()) return FromGrpcStatus(status);
  if (response.items_size() != request.items_size()) {
    return absl::InternalError(address + " answered for another number of samples than were sent");
  }
  if (absl::Status finite = CheckFinite(response); !finite.ok())
    return absl::InternalError(absl::StrCat(address, ": ", finite.message()));
  return response;
}

absl::StatusOr<v1::GetInfoResponse> RewardClient::GetInfo(const std::string& address,
                                                          absl::Duration deadline) {
  v1::GetInfoResponse response;
  const grpc::Status status = v1::Reward::NewStub(channels_.To(address))
                                  ->GetInfo(MakeContext(deadline).get(), v1::GetInfoRequest(), &response);
  if (!status.ok()) return FromGrpcStatus(status);
  return response;
}

}  // namespace lvrpo
