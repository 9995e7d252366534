#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/net/rpc.h"
#include "proto/lvrpo/v1/trajectory.pb.h"

namespace lvrpo {

// Uploads trajectories to learners. Thread-safe.
class LearnerClient {
 public:
  explicit LearnerClient(const ChannelOptions& options) : channels_(options.To({PeerRole::kLearner})) {}

  // Sends one group in checked chunks; OK once it is on the learner's disk. Repeating it is harmless.
  absl::Status Upload(const std::string& address, const v1::UploadHeader& header, const std::string& bytes,
                      absl::Duration deadline);

 private:
  ChannelCache channels_;
};

}  // namespace lvrpo
