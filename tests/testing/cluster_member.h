#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/net/rpc.h"
#include "proto/lvrpo/v1/coordinator.grpc.pb.h"
#include "tests/testing/cluster_world.h"

namespace lvrpo {

// A process's membership of a run in an in-process cluster: what MemberSession (coordinator/client.h) does,
// with calls of the service instead of a channel, and heartbeats between turns instead of a thread's.
class ClusterMember {
 public:
  struct Self {
    v1::Role role = v1::ROLE_UNSPECIFIED;
    ClusterProcess process;
    // What heartbeats say, and the leases that registrations name.
    std::function<void(v1::HeartbeatRequest&)> report;
    std::function<void(const std::vector<v1::LeaseId>&)> revoked = nullptr;
    v1::LearnerPlace learner = {};  // learner
  };
  // `world` must outlive it.
  ClusterMember(ClusterWorld& world, Self self);

  // Registers, and waits until it is let in.
  absl::Status Join();
  void Leave();

  // A fenced call, repeated while the coordinator is unreachable, and after registering again.
  template <class Request, class Response>
  absl::StatusOr<Response> Call(grpc::Status (CoordinatorService::*method)(grpc::ServerContext*,
                                                                           const Request*, Response*),
                                Request request) {
    Response response;
    const absl::Status status = Repeat(Request::descriptor()->name(), [&] {
      *request.mutable_fence() = fence_;
      response.Clear();
      return (*world_.coordinator.*method)(nullptr, &request, &response);
    });
    if (!status.ok()) return status;
    return response;
  }

  const v1::Fence& fence() const { return fence_; }
  const v1::PoolView& view() const { return registration_.view(); }
  // From the first registration.
  const std::vector<v1::CheckpointRecord>& checkpoints() const { return checkpoints_; }
  // Why the membership is over; OK while it is not.
  const absl::Status& lost() const { return lost_; }

 private:
  absl::Status Repeat(const std::string& what, const std::function<grpc::Status()>& call);
  absl::Status Register(bool again);
  absl::Status RegisterAgain(int64_t seen_incarnation);
  void Beat();
  void Wait(int tries);

  ClusterWorld& world_;
  const Self self_;
  v1::Fence fence_;
  v1::RegisterResponse registration_;  // the newest one's answer; its view is the newest
  std::vector<v1::CheckpointRecord> checkpoints_;
  absl::Status lost_;
};

}  // namespace lvrpo
