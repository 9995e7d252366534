#pragma once

#include <functional>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/net/call_watch.h"
#include "common/net/peer_limits.h"
#include "common/telemetry/metrics.h"
#include "learner/spool.h"
#include "learner/upload_check.h"
#include "proto/lvrpo/v1/trajectory.grpc.pb.h"

namespace lvrpo {

// Receives trajectories into the spool. Memory holds only the current chunk.
class InboxService final : public v1::TrajectoryInbox::Service {
 public:
  static constexpr int kGreetingsOfAPeer = 16;

  // Refuses uploads (Unavailable) until Open(). `watch` bounds uploads whose header was accepted, `greetings`
  // streams whose header has not come, of which a machine may have kGreetingsOfAPeer; `most_bytes` bounds one
  // group. All must outlive it.
  InboxService(Spool& spool, CallWatch& watch, CallWatch& greetings, int64_t most_bytes, Metrics& metrics)
      : spool_(spool),
        watch_(watch),
        greetings_(greetings),
        by_peer_({.at_once = kGreetingsOfAPeer}),
        most_bytes_(most_bytes),
        metrics_(metrics) {}

  // The learner has joined its run: from now on takes what belongs to `leases()`, which is called for each
  // upload, from gRPC's threads, and must stay callable while calls are served.
  void Open(std::function<OpenLeases()> leases);

  grpc::Status Upload(grpc::ServerContext* context, grpc::ServerReader<v1::UploadRequest>* reader,
                      v1::UploadResponse* response) override;

 private:
  OpenLeases Leases() const;
  absl::StatusOr<v1::UploadHeader> ReceiveHeader(grpc::ServerContext& context,
                                                 grpc::ServerReader<v1::UploadRequest>& reader);
  absl::Status Receive(grpc::ServerContext& context, grpc::ServerReader<v1::UploadRequest>& reader,
                       v1::UploadResponse& response);

  Spool& spool_;
  CallWatch &watch_, &greetings_;
  PeerLimits by_peer_;
  const int64_t most_bytes_;
  Metrics& metrics_;
  mutable absl::Mutex mutex_;
  std::function<OpenLeases()> leases_ ABSL_GUARDED_BY(mutex_);  // null until the run is known
};

}  // namespace lvrpo
