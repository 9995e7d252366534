#pragma once

#include <functional>

#include "common/telemetry/metrics.h"
#include "learner/call_watch.h"
#include "learner/spool.h"
#include "learner/upload_check.h"
#include "proto/lvrpo/v1/trajectory.grpc.pb.h"

namespace lvrpo {

// Receives trajectories into the spool. Memory holds only the current chunk.
class InboxService final : public v1::TrajectoryInbox::Service {
 public:
  // `open`: which ordinals may be uploaded now; `most_bytes` bounds one group. All must outlive it.
  InboxService(Spool& spool, CallWatch& watch, std::function<OpenLeases()> open, int64_t most_bytes,
               Metrics& metrics)
      : spool_(spool), watch_(watch), open_(std::move(open)), most_bytes_(most_bytes), metrics_(metrics) {}

  grpc::Status Upload(grpc::ServerContext* context, grpc::ServerReader<v1::UploadRequest>* reader,
                      v1::UploadResponse* response) override;

 private:
  absl::Status Receive(grpc::ServerContext& context, grpc::ServerReader<v1::UploadRequest>& reader,
                       v1::UploadResponse& response);

  Spool& spool_;
  CallWatch& watch_;
  const std::function<OpenLeases()> open_;
  const int64_t most_bytes_;
  Metrics& metrics_;
};

}  // namespace lvrpo
