#include "role/role_main.h"

#include <optional>

#include "CLI/CLI.hpp"
#include "common/net/rpc_tls.h"
#include "common/telemetry/logging.h"

namespace lvrpo {

int RunRole(const RoleProgram& program, int argc, char** argv) {
  CLI::App app(program.description);
  RoleFlags flags;
  flags.member_id = program.member_id;
  flags.AddTo(app, program.flags);
  for (const std::string& option : program.required) app.get_option(option)->required();
  if (const std::optional<int> code = ParseFlags(app, argc, argv)) return *code;
  ShutdownSignal shutdown;
  const absl::StatusOr<LoadedConfig> loaded = LoadConfigOrExplain(program.name, flags);
  if (!loaded.ok()) return kExitConfig;
  InitLogging(flags.member_id);
  absl::Status status = UseTls(flags.tls, program.peer);
  if (status.ok()) status = program.run(flags, loaded->config, shutdown);
  const int code = Explain(program.name, status);
  return absl::IsOutOfRange(status) ? program.out_of_range : code;
}

}  // namespace lvrpo
