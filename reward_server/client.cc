#include "reward_server/client.h"

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

absl::StatusOr<v1::ScoreResponse> RewardClient::Score(const std::string& address,
                                                      const v1::ScoreRequest& request,
                                                      absl::Duration deadline) {
  v1::ScoreResponse response;
  const grpc::Status status =
      v1::Reward::NewStub(channels_.To(address))->Score(MakeContext(deadline).get(), request, &response);
  if (!status.ok()) return FromGrpcStatus(status);
  if (response.items_size() != request.items_size()) {
    return absl::InternalError(address + " answered for another number of samples than were sent");
  }
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
