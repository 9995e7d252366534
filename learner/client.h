#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/net/rpc.h"
#include "proto/lvrpo/v1/trajectory.pb.h"
#include "proto/lvrpo/v1/weights.pb.h"

namespace lvrpo {

// Calls learners: uploads trajectories and fetches weights. Thread-safe.
class LearnerClient {
 public:
  explicit LearnerClient(const ChannelOptions& options) : channels_(options) {}

  // Sends one group in checked chunks; OK once it is on the learner's disk. Repeating it is harmless.
  absl::Status Upload(const std::string& address, const v1::UploadHeader& header, const std::string& bytes,
                      absl::Duration deadline);

  struct Weights {
    v1::WeightManifest manifest;
    std::vector<std::string> buckets;  // each matches its checksum
  };
  // Whether a manifest's tensors may be fetched; called before anything is.
  using CheckManifest = std::function<absl::Status(const v1::WeightManifest&)>;
  // All buckets of one version. DataLoss when bytes do not match, NotFound when the holder does not have this
  // version, or the error of `check`. `on_bytes` gets the number of bytes as they arrive; may be null.
  absl::StatusOr<Weights> FetchWeights(const std::string& address, const v1::PolicyVersion& version,
                                       const CheckManifest& check, absl::Duration deadline,
                                       const std::function<void(int64_t)>& on_bytes = nullptr);

 private:
  ChannelCache channels_;
};

}  // namespace lvrpo
