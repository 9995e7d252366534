#include "cli/doctor_command.h"

#include <cstdio>

#include "common/flags/flag_checks.h"
#include "common/json/json_text.h"

namespace lvrpo {

CLI::App* AddDoctor(CLI::App& app, DoctorFlags& flags) {
  DoctorOptions& options = flags.options;
  CLI::App* sub = app.add_subcommand(
      "doctor",
      "check a machine or a pod before a run, and say what to do: exit code 0, or 64 when the "
      "configuration, 65 when the machine, 69 when only something that cannot be reached is in the way");
  auto* config = sub->add_option("--config", options.config, "run configuration (YAML)");
  sub->add_option("--set", options.overrides, "override one setting; may be repeated")
      ->take_all()
      ->needs(config);
  sub->add_option("--run-dir", options.run_dir, "run folder, or where it is to be");
  sub->add_option("--tls", options.tls,
                  "folder of certificates: ca.crt, tls.crt and tls.key, or one such folder for each role")
      ->envname("LVRPO_TLS");
  sub->add_option("--role", options.role, "what runs here; default: everything")
      ->check(CLI::IsMember({"coordinator", "learner", "rollout", "reward", "evaluation"}));
  sub->add_option("--coordinator", options.coordinator, "host:port of a coordinator that must be reachable")
      ->check(HostPortText(AddressUse::kDial));
  sub->add_option("--listen", options.listen, "host:port that must be free; may be repeated")
      ->take_all()
      ->check(HostPortText(AddressUse::kListen));
  sub->add_flag("--json", flags.json, "as JSON");
  return sub;
}

int Doctor(const DoctorFlags& flags) {
  const std::vector<Check> checks = Examine(flags.options);
  const std::string text = flags.json ? JsonText(ChecksJson(checks), 1) + "\n" : FormatChecks(checks);
  std::fputs(text.c_str(), stdout);
  return ExitCodeOf(checks);
}

}  // namespace lvrpo
