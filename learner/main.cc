#include <optional>

#include "CLI/CLI.hpp"
#include "common/allocator.h"
#include "common/clock.h"
#include "common/config/config.h"
#include "common/exit_code.h"
#include "common/files/file.h"
#include "common/files/file_lock.h"
#include "common/files/filesystem.h"
#include "common/flags/role_flags.h"
#include "common/flags/run_main.h"
#include "common/net/rpc.h"
#include "common/shutdown.h"
#include "common/telemetry/logging.h"
#include "common/telemetry/metrics.h"
#include "coordinator/client.h"
#include "data/tokenizer/tokenizer.h"
#include "learner/group_check.h"
#include "learner/inbox_service.h"
#include "learner/loop.h"
#include "policy/contract.h"
#include "policy/prompt_source.h"
#include "policy/run_policy.h"
#include "spdlog/spdlog.h"

namespace lvrpo {
namespace {

constexpr char kProgram[] = "lvrpo-learner";
constexpr int kMostUploads = 64, kMostDownloads = 128;  // at once; others are told to retry
constexpr absl::Duration kFolderPatience = absl::Seconds(60);
// Largest fp32 difference of a text log-prob between sampling and evaluation; a wrong position or mask gives
// about 1.
constexpr double kTextTolerance = 1e-3;

absl::Status Learn(const RoleFlags& flags, const v1::RunConfig& config, ShutdownSignal& shutdown) {
  KeepFreedMemory();
  torch::set_num_threads(flags.threads > 0 ? flags.threads : config.local().threads_learner());
  absl::StatusOr<Bagel> base = LoadRunPolicy(config);
  if (!base.ok()) return base.status();
  const absl::StatusOr<std::unique_ptr<Tokenizer>> tokenizer = LoadTokenizer(config.model().policy());
  if (!tokenizer.ok()) return tokenizer.status();
  const absl::StatusOr<PromptSource> prompts = PromptSource::Load(config, **tokenizer, base->config());
  if (!prompts.ok()) return prompts.status();
  std::map<std::string, std::string> contract = WorkContract(config, *base, **tokenizer);
  contract["prompts"] = prompts->Digest();
  absl::StatusOr<std::unique_ptr<GrpoTrainer>> trainer = GrpoTrainer::Create(config, *std::move(base));
  if (!trainer.ok()) return trainer.status();
  const double image = (*trainer)->SelfTest(), text = (*trainer)->TextSelfTest();
  spdlog::info("self-test: log-probs of a sample differ by {} (image) and {} (text) when evaluated again",
               image, text);
  if (image != 0 || !(text <= kTextTolerance)) {
    return absl::InternalError(absl::StrCat(
        "self-test failed: evaluating a sample again changes its log-probs by ", image,
        " (image; 0 wanted) and ", text, " (text; at most ", kTextTolerance, "); ratios would not be 1"));
  }

  // A coordinator started at the same time creates the folder of a new run in a moment.
  const absl::Time deadline = RealClock().Now() + kFolderPatience;
  while (!IsFolder(flags.run_dir)) {
    if (shutdown.WaitFor(absl::Milliseconds(100))) return absl::OkStatus();
    if (RealClock().Now() > deadline) {
      return absl::UnavailableError(absl::StrCat("there is no run folder ", flags.run_dir,
                                                 ": start the coordinator with the same --run-dir"));
    }
  }
  const absl::StatusOr<FileLock> lock = FileLock::Take(
      JoinPath(flags.run_dir, "learner.lock"), absl::Seconds(30), [&] { return shutdown.requested(); });
  if (absl::IsCancelled(lock.status())) return absl::OkStatus();
  if (!lock.ok()) return lock.status();

  Metrics metrics("learner");
  Spool spool(JoinPath(flags.run_dir, "spool"), int64_t{config.train().spool_mib()} << 20);
  if (absl::Status status = spool.Open(); !status.ok()) return status;
  // An honest transfer ends within three times the time-out of a call.
  const absl::Duration timeout = absl::Seconds(config.rpc().timeout_seconds());
  CallWatch uploads({.most = kMostUploads, .longest = timeout * 4, .silent = timeout});
  CallWatch downloads({.most = kMostDownloads, .longest = timeout * 4, .silent = timeout});
  WeightService weights(downloads, metrics);
  std::unique_ptr<MemberSession> session;
  std::unique_ptr<LearnerLoop> loop;
  absl::Mutex mutex;  // guards the pointers above against the threads of the servers
  InboxService inbox(
      spool, uploads,
      [&]() -> OpenLeases {
        absl::MutexLock lock(&mutex);
        if (session == nullptr) return {};
        const v1::PoolView view = session->view();
        return {.run_id = session->registration().run_id(),
                .run_epoch = session->fence().run_epoch(),
                .lowest_open_ordinal = view.lowest_open_ordinal(),
                .next_ordinal = view.next_ordinal()};
      },
      LargestGroupBytes(config, (*trainer)->policy().config()), metrics);
  absl::StatusOr<std::unique_ptr<RpcServer>> server =
      RpcServer::Start({.listen = flags.listen,
                        .max_message_mib = config.rpc().max_message_mib(),
                        .insecure = flags.insecure,
                        .max_threads = kMostUploads + kMostDownloads + 64},
                       {&inbox, &weights});
  if (!server.ok()) return server.status();
  absl::StatusOr<std::unique_ptr<MetricsServer>> metrics_server =
      MetricsServer::Start(flags.metrics_listen, metrics, [&]() -> std::string {
        absl::MutexLock lock(&mutex);
        return loop == nullptr ? "starting" : "";
      });
  if (!metrics_server.ok()) return metrics_server.status();
  const absl::StatusOr<std::string> address = flags.Reachable((*server)->address());
  if (!address.ok()) return address.status();
  if (absl::Status status = flags.WriteAddressFile(*address, (*metrics_server)->address()); !status.ok())
    return status;

  MemberSession::Options options;
  options.coordinator = flags.coordinator;
  options.role = v1::ROLE_LEARNER;
  options.member_id = flags.member_id;
  options.address = *address;
  options.config_digest = ConfigDigest(config);
  options.contract = contract;
  options.timeout = absl::Seconds(config.rpc().timeout_seconds());
  options.channel = config.rpc();
  absl::StatusOr<std::unique_ptr<MemberSession>> joined = MemberSession::Join(
      options,
      [&]() {
        MemberSession::Report report;
        absl::MutexLock lock(&mutex);
        report.state = loop == nullptr ? "starting" : "ready";
        if (loop != nullptr) {
          report.version = loop->version();
          report.waiting_for = loop->waiting_for();
        }
        return report;
      },
      [&] { return shutdown.requested(); });
  if (absl::IsCancelled(joined.status()))
    return absl::AbortedError("stopped by a signal before it joined a run");
  if (!joined.ok()) return joined.status();
  {
    absl::MutexLock lock(&mutex);
    session = *std::move(joined);
  }
  auto started = std::make_unique<LearnerLoop>(
      LearnerLoop::Options{.config = config, .run_dir = flags.run_dir},
      [&prompts](const v1::TrajectoryGroup& group) {
        return CheckPrompt(group, prompts->At(group.ordinal()));
      },
      **trainer, spool, weights, *session, metrics);
  absl::Status status = started->Start();
  {
    absl::MutexLock lock(&mutex);
    loop = std::move(started);
  }
  spdlog::info("learner {} serves at {}, metrics at {}", flags.member_id, *address,
               (*metrics_server)->address());
  if (status.ok()) status = loop->Run([&] { return shutdown.requested(); });
  const v1::PoolView view = session->view();
  if (status.ok() && loop->step() < config.train().steps() && !view.draining()) {
    status = absl::AbortedError(
        "stopped by a signal after saving a checkpoint; the run goes on when a learner is back");
  }
  session->Leave(status.ok() ? "done" : std::string(status.message()));
  (*server)->Shutdown(absl::Seconds(1));
  return status;
}

int Main(int argc, char** argv) {
  CLI::App app(
      "The learner: receives trajectories, trains the policy with GRPO, publishes the weights and writes "
      "checkpoints. "
      "Ends when the run has finished or drains; SIGTERM saves a checkpoint and leaves with exit code 75.");
  RoleFlags flags;
  flags.member_id = "learner-0";
  flags.AddTo(app, "crlmt");
  app.get_option("--coordinator")->required();
  app.get_option("--run-dir")->required();
  if (const std::optional<int> code = ParseFlags(app, argc, argv)) return *code;
  ShutdownSignal shutdown;
  absl::StatusOr<LoadedConfig> loaded = LoadConfigOrExplain(kProgram, flags);
  if (!loaded.ok()) return kExitConfig;
  InitLogging(flags.member_id);
  const absl::Status status = Learn(flags, loaded->config, shutdown);
  if (absl::IsOutOfRange(status)) {
    Explain(kProgram, status);
    return kExitDiverged;
  }
  return Explain(kProgram, status);
}

}  // namespace
}  // namespace lvrpo

int main(int argc, char** argv) { return lvrpo::RunMain(lvrpo::kProgram, argc, argv, lvrpo::Main); }
