#include <unistd.h>

#include <cstdio>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "common/config/config.h"
#include "common/exit_code.h"
#include "common/files/file.h"
#include "common/files/file_lock.h"
#include "common/files/filesystem.h"
#include "common/files/identity.h"
#include "common/flags/role_flags.h"
#include "common/flags/run_main.h"
#include "common/json/json_text.h"
#include "common/net/host_port.h"
#include "common/net/listen_socket.h"
#include "common/net/rpc.h"
#include "common/shutdown.h"
#include "common/telemetry/logging.h"
#include "common/telemetry/metrics.h"
#include "coordinator/records/audit.h"
#include "coordinator/records/describe.h"
#include "coordinator/service.h"
#include "nlohmann/json.hpp"
#include "spdlog/spdlog.h"

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

absl::Status Serve(const RoleFlags& flags, const v1::RunConfig& config, ShutdownSignal& shutdown) {
  if (absl::Status status = MakeFolder(flags.run_dir); !status.ok()) return status;
  std::string run_dir = flags.run_dir;
  while (run_dir.size() > 1 && run_dir.back() == '/') run_dir.pop_back();
  const std::string run_id = run_dir.substr(run_dir.rfind('/') + 1);
  const absl::StatusOr<FileLock> lock = FileLock::Take(
      JoinPath(run_dir, "coordinator.lock"), absl::Seconds(30), [&] { return shutdown.requested(); });
  if (absl::IsCancelled(lock.status())) return absl::OkStatus();
  if (!lock.ok()) return lock.status();
  // Only a process that can serve opens or creates the records.
  if (absl::Status status = CheckCanListen(flags.listen); !status.ok()) return status;
  const std::string digest = ConfigDigest(config);
  absl::StatusOr<std::unique_ptr<Store>> store =
      Store::Open(JoinPath(run_dir, "coordinator.sqlite"), run_id, digest);
  if (!store.ok()) return store.status();

  CoordinatorService::Options options;
  options.run_id = run_id;
  options.run_dir = run_dir;
  options.config_digest = digest;
  options.rules.total_steps = config.train().steps();
  options.rules.group_size = config.rollout().group_size();
  options.rules.groups_per_step = config.train().groups_per_step();
  options.rules.max_staleness = config.train().max_staleness();
  options.rules.filter_zero_variance = config.train().filter_zero_variance();
  options.rules.lease = absl::Seconds(config.rollout().lease_seconds());
  options.rules.lease_limit = absl::Seconds(config.rollout().lease_limit_seconds());
  options.heartbeat = absl::Seconds(config.coordinator().heartbeat_seconds());
  options.member_timeout = absl::Seconds(config.coordinator().member_timeout_seconds());
  options.watchdog = absl::Seconds(config.coordinator().watchdog_seconds());
  options.max_unscorable_groups = config.coordinator().max_unscorable_groups();

  Metrics metrics("coordinator");
  absl::StatusOr<std::unique_ptr<CoordinatorService>> service =
      CoordinatorService::Create(options, *std::move(store), RealClock(), metrics);
  if (!service.ok()) return service.status();
  absl::StatusOr<std::unique_ptr<RpcServer>> server = RpcServer::Start(
      {.listen = flags.listen, .max_message_mib = config.rpc().max_message_mib(), .insecure = flags.insecure},
      {service->get()});
  if (!server.ok()) return server.status();
  absl::StatusOr<std::unique_ptr<MetricsServer>> metrics_server =
      MetricsServer::Start(flags.metrics_listen, metrics, [&] { return (*service)->trouble(); });
  if (!metrics_server.ok()) return metrics_server.status();
  const absl::StatusOr<std::string> address = flags.Reachable((*server)->address());
  if (!address.ok()) return address.status();
  // After its ports are bound: this raises the run epoch.
  if (absl::Status status = (*service)->Start(); !status.ok()) return status;
  const nlohmann::json where = {{"address", *address},
                                {"metrics", BesideAddress((*metrics_server)->address(), *address)},
                                {"pid", getpid()},
                                {"run_id", run_id},
                                {"run_epoch", (*service)->starts()}};
  if (absl::Status status = WriteFileAtomic(JoinPath(run_dir, "coordinator.json"), JsonText(where) + "\n");
      !status.ok()) {
    if ((*service)->trouble().empty()) return status;
    spdlog::warn("{}", std::string(status.message()));  // the disk is full: only people read this file
  }
  if (absl::Status status = flags.WriteAddressFile(*address, (*metrics_server)->address()); !status.ok())
    return status;
  spdlog::info("run {} is coordinated at {}, metrics at {}", run_id, *address, (*metrics_server)->address());

  absl::Time drain_ends = absl::InfiniteFuture();
  const std::string folder = IdentityOf(run_dir);
  while (!(*service)->Done()) {
    (*service)->Tick();
    if (absl::Status fatal = (*service)->fatal(); !fatal.ok()) return fatal;
    if (IsGone(run_dir, folder))
      return absl::NotFoundError(absl::StrCat("the run's folder ", run_dir, " is gone: the run ends"));
    if (shutdown.requested()) (*service)->StartDraining("signal");
    if ((*service)->draining() && drain_ends == absl::InfiniteFuture()) {
      drain_ends = RealClock().Now() + absl::Seconds(config.coordinator().drain_grace_seconds());
    }
    if (RealClock().Now() > drain_ends) {
      spdlog::warn("the drain took longer than {} s: leaving", config.coordinator().drain_grace_seconds());
      break;
    }
    if (shutdown.requested()) {
      absl::SleepFor(absl::Milliseconds(50));
    } else {
      shutdown.WaitFor(absl::Milliseconds(100));
    }
  }
  (*service)->Tick();
  (*server)->Shutdown(absl::Seconds(1));
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  CLI::App app(
      "The coordinator of a run: keeps its durable records, leases groups to rollout workers and assigns "
      "them to the "
      "learner. Ends when the run has finished or was drained and every member has left.");
  RoleFlags flags;
  std::string audit, describe;
  flags.AddTo(app, "rl");
  app.add_option("--audit", audit, "check the records of this run folder instead of serving");
  app.add_option("--describe", describe,
                 "print what the records of this run folder say, as JSON, instead of serving");
  app.get_option("--config")->required(false);
  if (const std::optional<int> code = ParseFlags(app, argc, argv)) return *code;
  if (!audit.empty()) return Audit(audit);
  if (!describe.empty()) return Describe(describe);
  if (flags.config.empty() || flags.run_dir.empty()) {
    std::fprintf(stderr, "%s: --config and --run-dir are needed (see --help)\n", kProgram);
    return kExitUsage;
  }
  ShutdownSignal shutdown;
  absl::StatusOr<LoadedConfig> loaded = LoadConfigOrExplain(kProgram, flags);
  if (!loaded.ok()) return kExitConfig;
  InitLogging("coordinator");
  return Explain(kProgram, Serve(flags, loaded->config, shutdown));
}

}  // namespace
}  // namespace lvrpo

int main(int argc, char** argv) { return lvrpo::RunMain(lvrpo::kProgram, argc, argv, lvrpo::Main); }
