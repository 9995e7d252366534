#include "role/role_process.h"

#include <utility>

#include "common/config/config.h"
#include "spdlog/spdlog.h"

namespace lvrpo {

absl::StatusOr<std::unique_ptr<RoleProcess>> RoleProcess::Start(const RoleFlags& flags,
                                                                const v1::RunConfig& config,
                                                                const Metrics& metrics,
                                                                const Serving& serving) {
  std::unique_ptr<RoleProcess> process(new RoleProcess(flags, config));
  if (!serving.services.empty()) {
    absl::StatusOr<std::unique_ptr<RpcServer>> server =
        RpcServer::Start({.listen = flags.listen,
                          .max_message_mib = config.rpc().max_message_mib(),
                          .insecure = flags.insecure,
                          .max_threads = serving.max_threads},
                         serving.services);
    if (!server.ok()) return server.status();
    process->server_ = *std::move(server);
  }
  absl::StatusOr<std::unique_ptr<MetricsServer>> metrics_server =
      MetricsServer::Start(flags.metrics_listen, metrics, serving.readiness, absl::Seconds(2), serving.pages);
  if (!metrics_server.ok()) return metrics_server.status();
  process->metrics_server_ = *std::move(metrics_server);
  if (process->server_ != nullptr) {
    absl::StatusOr<std::string> address = flags.Reachable(process->server_->address());
    if (!address.ok()) return address.status();
    process->address_ = *std::move(address);
  }
  return process;
}

RoleProcess::~RoleProcess() = default;

absl::Status RoleProcess::Announce() const {
  if (absl::Status status = flags_.WriteAddressFile(address_, metrics_address()); !status.ok()) return status;
  if (!address_.empty()) spdlog::info("serves at {}", address_);
  spdlog::info("metrics at {}", metrics_address());
  return absl::OkStatus();
}

absl::Status RoleProcess::Join(const Membership& membership, const ShutdownSignal& shutdown) {
  MemberSession::Options options;
  options.coordinator = flags_.coordinator;
  options.role = membership.role;
  options.member_id = flags_.member_id;
  options.address = address_;
  options.config_digest = ConfigDigest(config_);
  options.contract = membership.contract;
  options.learner = membership.learner;
  options.timeout = absl::Seconds(config_.rpc().timeout_seconds());
  options.channel = config_.rpc();
  absl::StatusOr<std::unique_ptr<MemberSession>> joined = MemberSession::Join(
      options, membership.report, [&shutdown] { return shutdown.requested(); }, membership.revoked);
  if (!joined.ok()) return joined.status();
  session_ = *std::move(joined);
  spdlog::info("joined run {} as {}", session_->registration().run_id(), flags_.member_id);
  return absl::OkStatus();
}

void RoleProcess::End(const std::string& reason, absl::Duration grace) {
  if (session_ != nullptr) session_->Leave(reason);
  if (server_ != nullptr) server_->Shutdown(grace);
}

}  // namespace lvrpo
