#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "proto/lvrpo/v1/learner.pb.h"

namespace grpc {
class Channel;
}

namespace lvrpo {

// Calls learners: hands trajectories over and fetches weights. Keeps one channel per address. Thread-safe.
class LearnerClient {
 public:
  explicit LearnerClient(int max_message_mib) : max_message_mib_(max_message_mib) {}

  // Sends one group in checked chunks; OK once it is on the learner's disk. Repeating it is harmless.
  absl::Status Upload(const std::string& address, const v1::UploadHeader& header, const std::string& bytes,
                      absl::Duration deadline);

  struct Weights {
    v1::WeightManifest manifest;
    std::vector<std::string> buckets;  // each matches its checksum
  };
  // All buckets of one version. DataLoss when bytes do not match, NotFound when the holder has not this
  // version. `on_bytes` is told of bytes as they come; may be null.
  absl::StatusOr<Weights> FetchWeights(const std::string& address, const v1::PolicyVersion& version,
                                       absl::Duration deadline,
                                       const std::function<void(int64_t)>& on_bytes = nullptr);

 private:
  std::shared_ptr<grpc::Channel> ChannelTo(const std::string& address);

  const int max_message_mib_;
  absl::Mutex mutex_;
  absl::flat_hash_map<std::string, std::shared_ptr<grpc::Channel>> channels_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace lvrpo
