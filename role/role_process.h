#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/flags/role_flags.h"
#include "common/net/rpc.h"
#include "common/shutdown.h"
#include "coordinator/client.h"
#include "proto/lvrpo/v1/config.pb.h"
#include "role/role_health.h"

namespace lvrpo {

// A process of a run, whatever its role: it serves, says where, joins the run and leaves it, always in the
// same order (docs/architecture.md, "Shutdown"). One thread, but for session(), which any may call after
// Join().
class RoleProcess {
 public:
  struct Serving {
    std::vector<grpc::Service*> services = {};  // none: no RPC server, and no address
    int max_threads = 0;                        // as in RpcServer::Options
  };
  struct Membership {
    v1::Role role = v1::ROLE_UNSPECIFIED;
    std::map<std::string, std::string> contract = {};
    v1::LearnerPlace learner = {};  // as MemberSession::Options::learner
    // These two as in MemberSession::Join: called from its threads.
    std::function<MemberSession::Report()> report;
    std::function<void(const std::vector<v1::LeaseId>&)> revoked = nullptr;
  };

  // Starts the server, which ends what `health` calls loading. All arguments, and what `serving` names, must
  // outlive it.
  static absl::StatusOr<std::unique_ptr<RoleProcess>> Start(const RoleFlags& flags,
                                                            const v1::RunConfig& config, RoleHealth& health,
                                                            const Serving& serving);
  // Stops without leaving: no call is served any more, then heartbeats end. `health` is not told of trouble
  // any more.
  ~RoleProcess();

  // Where others reach the services (host:port), and where /metrics is served.
  const std::string& address() const { return address_; }
  const std::string& metrics_address() const { return health_.address(); }

  // Writes the address file that the flags ask for, and logs the addresses.
  absl::Status Announce() const;
  // Joins the run: errors of MemberSession::Join, Cancelled when `shutdown` came first. `shutdown` must
  // outlive the process.
  absl::Status Join(const Membership& membership, const ShutdownSignal& shutdown);
  // After Join() only.
  MemberSession& session() const { return *session_; }

  // Leaves the run, if it joined, for `reason`; then takes no new calls and waits up to `grace` for those in
  // progress.
  void End(const std::string& reason, absl::Duration grace);

 private:
  RoleProcess(const RoleFlags& flags, const v1::RunConfig& config, RoleHealth& health)
      : flags_(flags), config_(config), health_(health) {}
  RoleState::Sight Look() const;

  const RoleFlags& flags_;
  const v1::RunConfig& config_;
  RoleHealth& health_;
  std::string address_;
  std::unique_ptr<MemberSession> session_;  // destroyed last: handlers may use it
  std::unique_ptr<RpcServer> server_;
};

}  // namespace lvrpo
