#include "role/role_health.h"

#include <utility>

#include "spdlog/spdlog.h"

namespace lvrpo {

absl::StatusOr<std::unique_ptr<RoleHealth>> RoleHealth::Start(const std::string& listen,
                                                              const std::string& role,
                                                              const ShutdownSignal& shutdown) {
  std::unique_ptr<RoleHealth> health(new RoleHealth(role));
  health->state_.SetTold([&shutdown] { return shutdown.requested(); });
  absl::StatusOr<std::unique_ptr<MetricsServer>> server = MetricsServer::Start(
      listen, health->metrics_, [h = health.get()] { return h->Look(); }, absl::Seconds(2),
      [h = health.get()](const HttpRequest& request) { return h->PageFor(request); });
  if (!server.ok()) return server.status();
  health->server_ = *std::move(server);
  spdlog::info("metrics at {}", health->address());
  return health;
}

void RoleHealth::SetPages(MetricsServer::Pages pages) {
  absl::MutexLock lock(&mutex_);
  pages_ = std::move(pages);
}

HttpAnswer RoleHealth::PageFor(const HttpRequest& request) {
  absl::MutexLock lock(&mutex_);
  if (pages_) return pages_(request);
  return {.code = 404, .reason = "Not Found", .body = "try /metrics, /healthz or /readyz\n"};
}

std::string RoleHealth::Look() {
  const RoleFacts facts = state_.facts();
  const RolePhase now = PhaseOf(facts);
  for (const RolePhase phase : kRolePhases) {
    metrics_
        .Gauge("lvrpo_role_state", "1 for what this process does now, else 0.", {{"state", WordOf(phase)}})
        .Set(phase == now ? 1 : 0);
  }
  return NotReady(facts);
}

}  // namespace lvrpo
