#include <unistd.h>

#include <cstdio>
#include <optional>
#include <string>

#include "CLI/CLI.hpp"
#include "common/allocator.h"
#include "common/exit_code.h"
#include "common/files/binary_folder.h"
#include "common/files/file.h"
#include "common/flags/role_flags.h"
#include "common/flags/run_main.h"
#include "common/json/json_text.h"
#include "common/net/rpc_tls.h"
#include "common/shutdown.h"
#include "common/telemetry/logging.h"
#include "evaluation/client.h"
#include "evaluation/evaluate_into.h"
#include "evaluation/follower.h"
#include "nlohmann/json.hpp"
#include "role/role_health.h"

namespace lvrpo {
namespace {

constexpr char kProgram[] = "lvrpo-evaluate";

// Becomes `lvrpo report RUN`, which writes the run's summary and report. Returns when it cannot.
void BecomeReport(const std::string& run_dir) {
  const std::string program = JoinPath(BinaryFolder(), "lvrpo");
  std::fflush(nullptr);
  execl(program.c_str(), program.c_str(), "report", run_dir.c_str(), nullptr);
  std::fprintf(stderr, "%s: there is no %s: write the report with lvrpo report %s\n", kProgram,
               program.c_str(), run_dir.c_str());
}

int Follow(const RoleFlags& flags, const v1::RunConfig& config, const EvaluationOptions& options) {
  ShutdownSignal shutdown;
  InitLogging(std::string(Word(PeerRole::kEvaluation)), flags.member_id);
  if (absl::Status status = UseTls(flags.tls, PeerRole::kEvaluation); !status.ok())
    return Explain(kProgram, status);
  const absl::StatusOr<std::unique_ptr<RoleHealth>> health =
      RoleHealth::Start(flags.metrics_listen, std::string(Word(PeerRole::kEvaluation)), shutdown);
  if (!health.ok()) return Explain(kProgram, health.status());
  const absl::Status status =
      Follower(flags, config, {.samples_per_kind = options.samples_per_kind, .threads = options.threads},
               shutdown, **health)
          .Run();
  if (!status.ok()) return Explain(kProgram, status);
  BecomeReport(flags.run_dir);
  return kExitDone;
}

int EvaluateOnce(const v1::RunConfig& config, const EvaluationOptions& options) {
  const absl::StatusOr<nlohmann::json> scores = EvaluateInto(config, options);
  if (!scores.ok()) return Explain(kProgram, scores.status());
  std::printf("%s\n", JsonText(*scores).c_str());
  return kExitDone;
}

int Main(int argc, char** argv) {
  CLI::App app(
      "Evaluates a policy on the held-out prompts: one image per prompt by ODE sampling from fixed noise, "
      "judged by the independent checker, and greedy answers to the held-out questions. Writes scores.json, "
      "samples.json, all.jsonl and the images of the first prompts of each kind. With --follow it is a role "
      "of a run: it evaluates the base weights, checkpoints during training and the trained weights, reports "
      "the scores to the coordinator, and ends with the run's report.");
  RoleFlags flags;
  flags.member_id = kEvaluationMember;
  EvaluationOptions options;
  bool follow = false;
  flags.AddTo(app, "crmp");
  auto* follow_flag =
      app.add_flag("--follow", follow, "evaluate a run while it trains; needs --coordinator and --run-dir");
  for (const char* name : {"--coordinator", "--run-dir"}) {
    app.get_option(name)->needs(follow_flag);
    follow_flag->needs(app.get_option(name));
  }
  app.add_option("--weights", options.weights,
                 "policy.safetensors of a checkpoint; without it the base policy")
      ->excludes(follow_flag);
  auto* out = app.add_option("--out", options.out, "folder for the results")->excludes(follow_flag);
  app.add_option("--prompts-per-kind", options.prompts_per_kind,
                 "prompts of each kind; 0 = as the configuration says")
      ->check(CLI::Range(0, 1 << 30))
      ->capture_default_str()
      ->excludes(follow_flag);
  app.add_option("--samples-per-kind", options.samples_per_kind, "images of each kind that are written")
      ->check(CLI::Range(0, 1 << 30))
      ->capture_default_str();
  app.add_option("--threads", options.threads, "CPU threads")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  if (const std::optional<int> code = ParseFlags(app, argc, argv)) return *code;
  if (!follow && out->empty()) {
    std::fprintf(stderr, "%s: --out or --follow is needed (see --help)\n", kProgram);
    return kExitUsage;
  }
  const absl::StatusOr<LoadedConfig> loaded = LoadConfigOrExplain(kProgram, flags);
  if (!loaded.ok()) return kExitConfig;
  KeepFreedMemory();
  if (follow) return Follow(flags, loaded->config, options);
  if (options.prompts_per_kind <= 0)
    options.prompts_per_kind = loaded->config.evaluation().prompts_per_kind();
  return EvaluateOnce(loaded->config, options);
}

}  // namespace
}  // namespace lvrpo

int main(int argc, char** argv) { return lvrpo::RunMain(lvrpo::kProgram, argc, argv, lvrpo::Main); }
