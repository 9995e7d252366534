#include "role/role_process.h"

#include <utility>

#include "common/config/config.h"
#include "common/telemetry/logging.h"
#include "spdlog/spdlog.h"

namespace lvrpo {
namespace {

Denials::Count CountDenials(Metrics& metrics) {
  return [&metrics](const std::string& method, const std::string& reason) {
    metrics.Counter("lvrpo_rpc_denied_total", {{"method", method}, {"reason", reason}}).Increment();
  };
}

RpcCount CountCalls(Metrics& metrics) {
  return [&metrics](const std::string& method, const std::string& code, absl::Duration lasted) {
    metrics.Counter("lvrpo_rpc_server_handled_total", {{"method", method}, {"code", code}}).Increment();
    metrics.Seconds("lvrpo_rpc_server_seconds", {{"method", method}}).Observe(absl::ToDoubleSeconds(lasted));
  };
}

}  // namespace

absl::StatusOr<std::unique_ptr<RoleProcess>> RoleProcess::Start(const RoleFlags& flags,
                                                                const v1::RunConfig& config,
                                                                RoleHealth& health, const Serving& serving) {
  std::unique_ptr<RoleProcess> process(new RoleProcess(flags, config, health));
  if (!serving.services.empty()) {
    absl::StatusOr<std::unique_ptr<RpcServer>> server =
        RpcServer::Start({.listen = flags.listen,
                          .max_message_mib = config.rpc().max_message_mib(),
                          .insecure = flags.insecure,
                          .max_threads = serving.max_threads,
                          .denied = CountDenials(health.metrics()),
                          .answered = CountCalls(health.metrics())},
                         serving.services);
    if (!server.ok()) return server.status();
    process->server_ = *std::move(server);
  }
  if (process->server_ != nullptr) {
    absl::StatusOr<std::string> address = flags.Reachable(process->server_->address());
    if (!address.ok()) return address.status();
    process->address_ = *std::move(address);
  }
  health.state().SetLoading("");
  return process;
}

RoleProcess::~RoleProcess() {
  health_.state().Follow(nullptr);
  health_.state().SetTrouble(nullptr);
}

RoleState::Sight RoleProcess::Look() const {
  const v1::PoolView view = session_->view();
  return {.silence = session_->silence(), .draining = view.draining(), .finished = view.finished()};
}

absl::Status RoleProcess::Announce() const {
  if (absl::Status status = flags_.WriteAddressFile(address_, metrics_address()); !status.ok()) return status;
  if (!address_.empty()) spdlog::info("serves at {}", address_);
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
  options.patience = flags_.patience();
  options.waits = [this](const std::string& what) { health_.state().SetWaiting(what); };
  options.channel = config_.rpc();
  absl::StatusOr<std::unique_ptr<MemberSession>> joined = MemberSession::Join(
      options, membership.report, [&shutdown] { return shutdown.requested(); }, membership.revoked);
  if (!joined.ok()) return joined.status();
  session_ = *std::move(joined);
  health_.metrics().SetRun(session_->registration().run_id());
  health_.state().Follow([this] { return Look(); });
  SetLogRun(session_->registration().run_id());
  spdlog::info("joined run {} as {}", session_->registration().run_id(), flags_.member_id);
  return absl::OkStatus();
}

void RoleProcess::End(const std::string& reason, absl::Duration grace) {
  if (session_ != nullptr) session_->Leave(reason);
  if (server_ != nullptr) server_->Shutdown(grace);
}

}  // namespace lvrpo
