#include "role/role_health.h"

#include <algorithm>
#include <utility>

#include "common/net/rpc_tls.h"
#include "spdlog/spdlog.h"

namespace lvrpo {

absl::StatusOr<std::unique_ptr<RoleHealth>> RoleHealth::Start(const std::string& listen,
                                                              const std::string& role,
                                                              const ShutdownSignal& shutdown) {
  std::unique_ptr<RoleHealth> health(new RoleHealth(role));
  health->state_.SetTold([&shutdown] { return shutdown.requested(); });
  absl::StatusOr<std::unique_ptr<MetricsServer>> server = MetricsServer::Start(
      listen, health->metrics_, [h = health.get()] { return h->Look(); }, absl::Seconds(2),
      [h = health.get()](const PageRequest& request) { return h->PageFor(request); });
  if (!server.ok()) return server.status();
  health->server_ = *std::move(server);
  health->Look();
  spdlog::info("metrics at {}", health->address());
  return health;
}

void RoleHealth::SetPages(MetricsServer::Pages pages) {
  absl::MutexLock lock(&mutex_);
  pages_ = std::move(pages);
}

PageAnswer RoleHealth::PageFor(const PageRequest& request) {
  absl::MutexLock lock(&mutex_);
  if (pages_) return pages_(request);
  return {.code = 404, .reason = "Not Found", .body = "try /metrics, /healthz or /readyz\n"};
}

std::string RoleHealth::Look() {
  const RoleFacts facts = state_.facts();
  const RolePhase now = PhaseOf(facts);
  for (const RolePhase phase : kRolePhases) {
    metrics_.Gauge("lvrpo_role_state", {{"state", WordOf(phase)}}).Set(phase == now ? 1 : 0);
  }
  if (const std::shared_ptr<TlsContext> tls = ProcessTls(); tls != nullptr) {
    metrics_.Gauge("lvrpo_tls_certificate_expiry_timestamp_seconds")
        .Set(std::max(0.0, static_cast<double>(absl::ToUnixSeconds(tls->Expiry()))));
  }
  return NotReady(facts);
}

}  // namespace lvrpo
