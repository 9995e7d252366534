#pragma once

#include <functional>

#include "common/metrics.h"
#include "learner/spool.h"
#include "proto/lvrpo/v1/learner.grpc.pb.h"

namespace lvrpo {

// Receives trajectories into the spool. `run_id` gives the run that is served, empty while it is not known
// yet.
class InboxService final : public v1::TrajectoryInbox::Service {
 public:
  InboxService(Spool& spool, std::function<std::string()> run_id, int64_t max_bytes, Metrics& metrics)
      : spool_(spool), run_id_(std::move(run_id)), max_bytes_(max_bytes), metrics_(metrics) {}

  grpc::Status Upload(grpc::ServerContext* context, grpc::ServerReader<v1::UploadRequest>* reader,
                      v1::UploadResponse* response) override;

 private:
  absl::Status Receive(grpc::ServerReader<v1::UploadRequest>& reader, v1::UploadResponse& response);

  Spool& spool_;
  const std::function<std::string()> run_id_;
  const int64_t max_bytes_;
  Metrics& metrics_;
};

}  // namespace lvrpo
