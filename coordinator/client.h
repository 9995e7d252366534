#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/net/introduction.h"
#include "common/net/rpc.h"
#include "proto/lvrpo/v1/coordinator.grpc.pb.h"

namespace lvrpo {

// Calls that need no membership: for operators. Thread-safe.
class CoordinatorClient {
 public:
  CoordinatorClient(const std::string& address, const ChannelOptions& options);
  absl::StatusOr<v1::GetStatusResponse> GetStatus(absl::Duration deadline);
  absl::Status Drain(const std::string& reason, absl::Duration deadline);

 private:
  // gRPC's message about an unreachable peer, as a sentence.
  absl::Status Explained(const absl::Status& status) const;

  const std::string address_;
  std::unique_ptr<v1::Coordinator::Stub> stub_;
};

// One process's membership of a run: registers, sends heartbeats from a thread of its own, registers again
// when the coordinator was restarted, and adds the fence to every write. Thread-safe.
class MemberSession {
 public:
  struct Options {
    std::string coordinator;  // host:port
    v1::Role role = v1::ROLE_UNSPECIFIED;
    std::string member_id;
    std::string address;  // where others reach this member; empty if it serves nothing
    std::string config_digest;
    std::string process;  // names this process among those of its member_id; empty: random
    std::map<std::string, std::string> contract;
    absl::Duration timeout = absl::Seconds(10);   // of one call
    absl::Duration patience = absl::Seconds(60);  // with an unreachable coordinator; may be infinite
    v1::LearnerPlace learner = {};                // learner: its place; the epoch is the report's
    ChannelOptions channel = 64;
    Waiting waiting = {};  // between two tries of a call; heartbeats follow the machine's own time
    v1::Build build = OwnBuild();
    // Told what Join() waits for, in words, after each try that failed; may be null.
    std::function<void(const std::string&)> waits = nullptr;
  };
  // Contents of the heartbeat. Called from the session's thread.
  struct Report {
    double load = 0;
    std::string state = "ready";
    v1::PolicyVersion version;
    std::vector<v1::LeaseId> held;
    std::string waiting_for;
    v1::Obstacle obstacle = v1::OBSTACLE_UNSPECIFIED;  // what kind of thing waiting_for is
    std::string learner_epoch;                         // learner: id of the epoch that it has joined
    std::optional<int> weight_streams;  // open ones; nullopt: `version` is not streamed to others
  };

  // Registers, waiting up to options.patience for the coordinator to come up (or for an older process of this
  // name, or another learner, to be gone), and without a limit while the coordinator waits for its disk. One
  // of another version, and for a learner one of another configuration, may be replaced: that is waited for
  // at most a minute. Aborted: the versions do not work together. `give_up` is polled meanwhile, here and in
  // later calls: once it returns true, an unreachable coordinator is waited for only a few seconds. `revoked`
  // gets the lost leases, whether a heartbeat or a registration reported them, on the thread that learned of
  // it; it may be null.
  static absl::StatusOr<std::unique_ptr<MemberSession>> Join(
      const Options& options, std::function<Report()> report, std::function<bool()> give_up,
      std::function<void(const std::vector<v1::LeaseId>&)> revoked = nullptr);
  // Stops heartbeats; does not leave.
  ~MemberSession();

  // From the answer to the first registration.
  const v1::RegisterResponse& registration() const { return registration_; }
  v1::Fence fence() const;
  v1::PoolView view() const;
  // Blocks until the view changed since `seen` (a counter that starts at 0) or `timeout`; returns the new
  // counter.
  int64_t WaitForView(int64_t seen, absl::Duration timeout) const;
  // Why this membership is over: superseded by another process, another configuration, or the coordinator was
  // unreachable for longer than `patience` (Unavailable). OK while it is not.
  absl::Status lost() const;
  // How long ago the coordinator last answered a call.
  absl::Duration silence() const;

  // A fenced call. After a coordinator restart it registers again and repeats; while the coordinator is
  // unreachable it repeats until `patience` is over. Other errors are returned (ErrorInfoOf has the
  // reason).
  template <class Request, class Response>
  absl::StatusOr<Response> Call(grpc::Status (v1::Coordinator::Stub::*method)(grpc::ClientContext*,
                                                                              const Request&, Response*),
                                Request request) {
    Response response;
    absl::Status status = Repeat([&](grpc::ClientContext* context, const v1::Fence& fence) {
      *request.mutable_fence() = fence;
      response.Clear();
      return ((*stub_).*method)(context, request, &response);
    });
    if (!status.ok()) return status;
    return response;
  }

  // Leaves the run; errors are ignored. Heartbeats stop.
  void Leave(const std::string& reason);

 private:
  MemberSession(Options options, std::function<Report()> report, std::function<bool()> give_up,
                std::function<void(const std::vector<v1::LeaseId>&)> revoked);
  absl::Status Repeat(const std::function<grpc::Status(grpc::ClientContext*, const v1::Fence&)>& call);
  // Registers unless another thread did so since `seen_incarnation`.
  absl::Status RegisterAgain(int64_t seen_incarnation);
  // `again`: not the first time.
  absl::StatusOr<v1::RegisterResponse> RegisterOnce(bool again);
  void Heartbeats();
  void SetView(const v1::PoolView& view);
  absl::Status Lose(absl::Status why);
  // Notes that the coordinator answered, if it did.
  void NoteAnswer(const absl::Status& status);
  // Says what Join() waits for since `begin`: to options.waits each time, in the log at times.
  void SayWaiting(const absl::Status& why, absl::Time begin);
  // How long to wait after `tries` calls that were not answered; each process waits differently.
  absl::Duration WaitAfter(int tries) const;
  void StopHeartbeats();

  const Options options_;
  const std::string process_;
  const std::function<Report()> report_;
  const std::function<bool()> give_up_;
  const std::function<void(const std::vector<v1::LeaseId>&)> revoked_;
  std::unique_ptr<v1::Coordinator::Stub> stub_;
  v1::RegisterResponse registration_;

  absl::Mutex register_mutex_;  // one registration at a time
  mutable absl::Mutex mutex_;
  v1::Fence fence_ ABSL_GUARDED_BY(mutex_);
  v1::PoolView view_ ABSL_GUARDED_BY(mutex_);
  int64_t view_count_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status lost_ ABSL_GUARDED_BY(mutex_);
  absl::Time heard_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteFuture();  // the coordinator
  absl::Time next_words_ = absl::InfinitePast();                       // in the log; for Join()
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread heartbeats_;
};

}  // namespace lvrpo
