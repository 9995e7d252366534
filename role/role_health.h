#pragma once

#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/shutdown.h"
#include "common/telemetry/metrics.h"
#include "role/role_state.h"

namespace lvrpo {

// What a process shows of itself from its first moment on, before it loads anything: /metrics, /healthz and
// /readyz. Thread-safe.
class RoleHealth {
 public:
  // `role`: as in Metrics. `shutdown` must outlive it. Errors: the address cannot be served.
  static absl::StatusOr<std::unique_ptr<RoleHealth>> Start(const std::string& listen, const std::string& role,
                                                           const ShutdownSignal& shutdown);

  Metrics& metrics() { return metrics_; }
  RoleState& state() { return state_; }
  const std::string& address() const { return server_->address(); }  // of /metrics
  // What else is served there from now on; null: nothing. Returns when nobody is in the former.
  void SetPages(MetricsServer::Pages pages);

 private:
  explicit RoleHealth(const std::string& role) : metrics_(role) {}
  // Why it is not ready; refreshes lvrpo_role_state and the certificate's expiry.
  std::string Look();
  PageAnswer PageFor(const PageRequest& request);

  Metrics metrics_;
  RoleState state_;
  absl::Mutex mutex_;
  MetricsServer::Pages pages_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<MetricsServer> server_;  // its thread uses the above
};

}  // namespace lvrpo
