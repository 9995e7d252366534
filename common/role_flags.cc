#include "common/role_flags.h"

#include <unistd.h>

#include <cstdio>
#include <optional>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "common/exit_code.h"
#include "common/file.h"
#include "common/json_text.h"
#include "common/utf8.h"
#include "common/version.h"
#include "nlohmann/json.hpp"

namespace lvrpo {

void RoleFlags::AddTo(CLI::App& app, const std::string& uses) {
  const auto has = [&uses](char letter) { return uses.find(letter) != std::string::npos; };
  app.set_version_flag("--version", kVersion);
  app.add_option("--config", config, "run configuration (YAML)")->required();
  app.add_option("--set", overrides, "override one setting, e.g. --set train.steps=10; may be repeated")
      ->take_all();
  if (has('c')) app.add_option("--coordinator", coordinator, "host:port of the coordinator");
  if (has('r')) app.add_option("--run-dir", run_dir, "run folder");
  if (has('l')) {
    app.add_option("--listen", listen, "host:port to serve on; port 0 picks one")->capture_default_str();
    app.add_option("--advertise", advertise, "host:port that others reach this process at, if not --listen");
    app.add_option("--address-file", address_file,
                   "write the addresses that are served to this file, as JSON");
    app.add_flag("--insecure", insecure, "allow plain text on addresses other than loopback");
  }
  if (has('l') || has('m'))
    app.add_option("--metrics-listen", metrics_listen, "host:port of /metrics, /healthz and /readyz")
        ->capture_default_str();
  if (has('m'))
    app.add_option("--member-id", member_id, "stable name of this process")->capture_default_str();
  if (has('t'))
    app.add_option("--threads", threads, "CPU threads; 0 = as the configuration says")->capture_default_str();
}

absl::Status RoleFlags::WriteAddressFile(const std::string& address, const std::string& metrics) const {
  if (address_file.empty()) return absl::OkStatus();
  return WriteFileAtomic(
      address_file,
      JsonText(nlohmann::json{{"address", address}, {"metrics", metrics}, {"pid", getpid()}}) + "\n");
}

std::optional<int> ParseFlags(CLI::App& app, int argc, char** argv) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // What is wrong may quote an argument, whose bytes are anything.
    std::ostringstream out, complaint;
    const int code = app.exit(error, out, complaint);
    std::fputs(unicode::RepairUtf8(out.str()).c_str(), stdout);
    std::fputs(unicode::RepairUtf8(complaint.str()).c_str(), stderr);
    return code == 0 ? kExitDone : kExitUsage;
  }
  return std::nullopt;
}

absl::StatusOr<LoadedConfig> LoadConfigOrExplain(const std::string& program, const RoleFlags& flags) {
  absl::StatusOr<LoadedConfig> loaded = LoadRunConfig(flags.config, flags.overrides);
  if (!loaded.ok()) Explain(program, loaded.status());
  return loaded;
}

int Explain(const std::string& program, const absl::Status& status) {
  if (status.ok()) return kExitDone;
  std::fprintf(stderr, "%s: %s\n", program.c_str(), unicode::RepairUtf8(status.message()).c_str());
  return ExitCodeFor(status);
}

}  // namespace lvrpo
