#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/net/rpc.h"
#include "proto/lvrpo/v1/coordinator.pb.h"
#include "proto/lvrpo/v1/reward.pb.h"

namespace lvrpo {

// The less loaded of two servers drawn by `random` among those that are ready and whose member_id is not
// in `excluded`. Two choices spread load nearly as well as knowing everything, and do not stampede when
// load reports are old. nullopt when there is no candidate.
std::optional<v1::Member> PickServer(const std::vector<v1::Member>& servers,
                                     const std::set<std::string>& excluded, uint64_t random);

// Internal, naming the sample, when a reward or a score is not finite.
absl::Status CheckFinite(const v1::ScoreResponse& response);

// Calls reward servers, on behalf of the group that the calling thread is at (LogGroup). Thread-safe.
class RewardClient {
 public:
  explicit RewardClient(const ChannelOptions& options) : channels_(options.To({PeerRole::kReward})) {}

  // Scores all samples of one prompt; blocks until the answer or `deadline`. Unavailable, ResourceExhausted
  // and DeadlineExceeded may succeed at another server; InvalidArgument will not.
  absl::StatusOr<v1::ScoreResponse> Score(const std::string& address, const v1::ScoreRequest& request,
                                          absl::Duration deadline);

  absl::StatusOr<v1::GetInfoResponse> GetInfo(const std::string& address, absl::Duration deadline);

 private:
  ChannelCache channels_;
};

}  // namespace lvrpo
