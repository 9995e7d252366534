#include <cstdlib>
#include <optional>

#include "CLI/CLI.hpp"
#include "common/allocator.h"
#include "common/config/config.h"
#include "common/exit_code.h"
#include "common/flags/role_flags.h"
#include "common/flags/run_main.h"
#include "common/net/rpc.h"
#include "common/shutdown.h"
#include "common/telemetry/logging.h"
#include "common/telemetry/metrics.h"
#include "coordinator/client.h"
#include "reward_server/load_scorers.h"
#include "reward_server/scoring/scoring_pool.h"
#include "reward_server/service.h"
#include "reward_server/warm_up.h"
#include "spdlog/spdlog.h"
#include "torch/torch.h"

namespace lvrpo {
namespace {

constexpr char kProgram[] = "lvrpo-reward-server";

absl::Status Serve(const RoleFlags& flags, const v1::RunConfig& config, ShutdownSignal& shutdown) {
  KeepFreedMemory();
  torch::set_num_threads(flags.threads > 0 ? flags.threads : config.local().threads_reward());
  Metrics metrics("reward_server");
  absl::StatusOr<std::unique_ptr<ScorerSet>> scorers = LoadScorers(config, metrics);
  if (!scorers.ok()) return scorers.status();
  const absl::Time begin = RealClock().Now();
  const WarmUpReport warm =
      WarmUp(**scorers, WarmUpPrompts(config.data(), **scorers), config.rollout().group_size());
  for (const std::string& problem : warm.problems) spdlog::warn("warm-up: {}", problem);
  if (!warm.refused.ok()) return warm.refused;
  spdlog::info("warm after {:.2f} s", absl::ToDoubleSeconds(RealClock().Now() - begin));
  ScoringPool pool(**scorers, ToPoolOptions(config.reward()), RealClock(), metrics);
  RewardService service(**scorers, pool, absl::Seconds(config.reward().deadline_seconds()), RealClock(),
                        metrics);
  absl::StatusOr<std::unique_ptr<RpcServer>> server = RpcServer::Start(
      {.listen = flags.listen, .max_message_mib = config.rpc().max_message_mib(), .insecure = flags.insecure},
      {&service});
  if (!server.ok()) return server.status();
  absl::StatusOr<std::unique_ptr<MetricsServer>> metrics_server =
      MetricsServer::Start(flags.metrics_listen, metrics, [&] { return pool.broken(); });
  if (!metrics_server.ok()) return metrics_server.status();
  const absl::StatusOr<std::string> address = flags.Reachable((*server)->address());
  if (!address.ok()) return address.status();
  if (absl::Status status = flags.WriteAddressFile(*address, (*metrics_server)->address()); !status.ok())
    return status;
  spdlog::info("reward server {} serves at {}, metrics at {}", flags.member_id, *address,
               (*metrics_server)->address());

  std::unique_ptr<MemberSession> session;
  if (!flags.coordinator.empty()) {
    MemberSession::Options options;
    options.coordinator = flags.coordinator;
    options.role = v1::ROLE_REWARD_SERVER;
    options.member_id = flags.member_id;
    options.address = *address;
    options.config_digest = ConfigDigest(config);
    options.timeout = absl::Seconds(config.rpc().timeout_seconds());
    options.channel = config.rpc();
    absl::StatusOr<std::unique_ptr<MemberSession>> joined = MemberSession::Join(
        options,
        [&] {
          MemberSession::Report report;
          report.load = static_cast<double>(pool.load());
          return report;
        },
        [&] { return shutdown.requested(); });
    if (absl::IsCancelled(joined.status())) return absl::OkStatus();
    if (!joined.ok()) return joined.status();
    session = *std::move(joined);
  }
  // While a run drains, what is queued is still answered; workers return the leases of what comes too late.
  absl::Status lost;
  while (!shutdown.WaitFor(absl::Milliseconds(200))) {
    pool.Report();
    if (const std::string broken = pool.broken(); !broken.empty()) {
      lost = absl::DataLossError(broken);
      break;
    }
    if (session == nullptr) continue;
    const v1::PoolView view = session->view();
    if (view.finished() || (view.draining() && pool.load() == 0)) break;
    if (lost = session->lost(); !lost.ok()) break;
  }
  pool.Drain();
  if (session != nullptr) session->Leave(lost.ok() ? "done" : "lost");
  (*server)->Shutdown(absl::Seconds(2));
  if (const std::string hanging = pool.hanging(); !hanging.empty()) {
    spdlog::error("scorer '{}' hangs and will not be waited for", hanging);
    std::_Exit(lost.ok() ? kExitDone : kExitRetry);
  }
  return lost;
}

int Main(int argc, char** argv) {
  CLI::App app(
      "A reward server: scores samples with frozen scorers. With --coordinator it joins a run and ends with "
      "it; without, "
      "it serves until it is told to stop.");
  RoleFlags flags;
  flags.member_id = "reward-0";
  flags.AddTo(app, "clmt");
  if (const std::optional<int> code = ParseFlags(app, argc, argv)) return *code;
  ShutdownSignal shutdown;
  absl::StatusOr<LoadedConfig> loaded = LoadConfigOrExplain(kProgram, flags);
  if (!loaded.ok()) return kExitConfig;
  InitLogging(flags.member_id);
  return Explain(kProgram, Serve(flags, loaded->config, shutdown));
}

}  // namespace
}  // namespace lvrpo

int main(int argc, char** argv) { return lvrpo::RunMain(lvrpo::kProgram, argc, argv, lvrpo::Main); }
