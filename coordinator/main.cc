#include <cstdio>

#include "CLI/CLI.hpp"
#include "common/clock.h"
#include "common/exit_code.h"
#include "common/flags/role_flags.h"
#include "common/flags/run_main.h"
#include "common/json/json_text.h"
#include "common/net/rpc_tls.h"
#include "common/shutdown.h"
#include "common/telemetry/logging.h"
#include "coordinator/coordinator_process.h"
#include "coordinator/records/audit.h"
#include "coordinator/records/describe.h"
#include "coordinator/records/go_back.h"
#include "nlohmann/json.hpp"

namespace lvrpo {
namespace {

constexpr char kProgram[] = "lvrpo-coordinator";

int Audit(const std::string& run_dir) {
  absl::StatusOr<std::vector<Proof>> proofs = AuditRun(run_dir);
  if (!proofs.ok()) return Explain(kProgram, proofs.status());
  bool holds = true;
  for (const Proof& proof : *proofs) {
    std::printf("%s  %s\n", proof.holds ? "ok  " : "FAIL", proof.sentence.c_str());
    holds = holds && proof.holds;
  }
  return holds ? kExitDone : kExitData;
}

int Describe(const std::string& run_dir) {
  absl::StatusOr<nlohmann::json> description = DescribeRun(run_dir);
  if (!description.ok()) return Explain(kProgram, description.status());
  std::printf("%s\n", JsonText(*description).c_str());
  return kExitDone;
}

int Main(int argc, char** argv) {
  CLI::App app(
      "The coordinator of a run: keeps its durable records, leases groups to rollout workers and assigns "
      "them to the "
      "learner. Ends when the run has finished or was drained and every member has left; SIGTERM leaves a "
      "run that goes "
      "on, with exit code 75, to the next coordinator.");
  RoleFlags flags;
  std::string audit, describe, go_back;
  int64_t step = 0;
  flags.AddTo(app, "rls");
  app.add_option("--audit", audit, "check the records of this run folder instead of serving");
  app.add_option("--describe", describe,
                 "print what the records of this run folder say, as JSON, instead of serving");
  auto* go_back_option =
      app.add_option("--go-back", go_back,
                     "take the stopped run in this folder back to the checkpoint of --step steps, instead of "
                     "serving; later steps are abandoned");
  auto* step_option =
      app.add_option("--step", step, "with --go-back: steps of the checkpoint; 0: the base weights")
          ->check(CLI::NonNegativeNumber)
          ->needs(go_back_option);
  go_back_option->needs(step_option);  // what it abandons is never a default
  app.get_option("--config")->required(false);
  InitLogging("coordinator", "coordinator");
  if (const std::optional<int> code = ParseFlags(app, argc, argv)) return *code;
  if (!audit.empty()) return Audit(audit);
  if (!describe.empty()) return Describe(describe);
  if (!go_back.empty()) return Explain(kProgram, GoBack(go_back, step, RealClock().Now()));
  if (flags.config.empty() || flags.run_dir.empty())
    return ExplainUsage(kProgram, "--config and --run-dir are needed");
  ShutdownSignal shutdown;
  absl::StatusOr<LoadedConfig> loaded = LoadConfigOrExplain(kProgram, flags);
  if (!loaded.ok()) return kExitConfig;
  absl::Status status = UseTls(flags.tls, PeerRole::kCoordinator);
  if (status.ok()) status = CoordinateRun(flags, *loaded, shutdown);
  return Explain(kProgram, status);
}

}  // namespace
}  // namespace lvrpo

int main(int argc, char** argv) { return lvrpo::RunMain(lvrpo::kProgram, argc, argv, lvrpo::Main); }
