#include "role/role_main.h"

#include <cstdlib>
#include <optional>
#include <thread>

#include "CLI/CLI.hpp"
#include "absl/synchronization/notification.h"
#include "common/net/rpc_tls.h"
#include "common/telemetry/logging.h"
#include "role/after_the_end.h"
#include "spdlog/spdlog.h"

namespace lvrpo {
namespace {

// Ends the process when it is told to leave while it loads, before it joins: nothing is lost, and loading may
// take longer than its supervisor waits.
class LoadingWatch {
 public:
  LoadingWatch(const ShutdownSignal& shutdown, const RoleState& state, int code)
      : shutdown_(shutdown), state_(state), code_(code), thread_([this] { Watch(); }) {}
  ~LoadingWatch() {
    over_.Notify();
    thread_.join();
  }

 private:
  void Watch() const {
    while (true) {
      const RoleFacts facts = state_.facts();
      if (facts.loading.empty() || facts.joined) return;
      if (shutdown_.requested()) {
        spdlog::warn("stopped by a signal while it was loading {}", facts.loading);
        spdlog::default_logger()->flush();
        std::_Exit(code_);
      }
      if (over_.WaitForNotificationWithTimeout(absl::Milliseconds(50))) return;
    }
  }

  const ShutdownSignal& shutdown_;
  const RoleState& state_;
  const int code_;
  absl::Notification over_;
  std::thread thread_;
};

absl::Status Run(const RoleProgram& program, const RoleFlags& flags, const v1::RunConfig& config,
                 ShutdownSignal& shutdown) {
  const absl::StatusOr<std::unique_ptr<RoleHealth>> health =
      RoleHealth::Start(flags.metrics_listen, std::string(Word(program.role)), shutdown);
  if (!health.ok()) return health.status();
  absl::Status status;
  if (!program.is_pool || AskStanding(flags, config) != RunStands::kOver) {
    const LoadingWatch loads(shutdown, (*health)->state(), program.is_pool ? kExitDone : kExitRetry);
    status = program.run(flags, config, shutdown, **health);  // what it has loaded is gone when it returns
  }
  if (!status.ok() || !flags.stay || shutdown.requested()) return status;
  return RestAfterTheEnd(flags, config, shutdown, **health);
}

}  // namespace

int RunRole(const RoleProgram& program, int argc, char** argv) {
  CLI::App app(program.description);
  RoleFlags flags;
  flags.member_id = program.member_id;
  flags.AddTo(app, program.flags);
  for (const std::string& option : program.required) app.get_option(option)->required();
  const std::string role(Word(program.role));
  InitLogging(role, program.member_id);
  if (const std::optional<int> code = ParseFlags(app, argc, argv)) return *code;
  InitLogging(role, flags.member_id);
  ShutdownSignal shutdown;
  const absl::StatusOr<LoadedConfig> loaded = LoadConfigOrExplain(program.name, flags);
  if (!loaded.ok()) return kExitConfig;
  absl::Status status = UseTls(flags.tls, program.role);
  if (status.ok()) status = Run(program, flags, loaded->config, shutdown);
  const int code = Explain(program.name, status);
  return absl::IsOutOfRange(status) ? program.out_of_range : code;
}

}  // namespace lvrpo
