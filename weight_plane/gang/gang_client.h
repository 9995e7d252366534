#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/net/rpc.h"
#include "proto/lvrpo/v1/weight_gang.pb.h"

namespace lvrpo {

// Asks a learner's GangService. Thread-safe.
class GangClient {
 public:
  explicit GangClient(const ChannelOptions& options) : channels_(options.To({PeerRole::kLearner})) {}

  absl::StatusOr<v1::AskGangResponse> Ask(const std::string& address, const v1::AskGangRequest& request,
                                          absl::Duration deadline);

 private:
  ChannelCache channels_;
};

}  // namespace lvrpo
