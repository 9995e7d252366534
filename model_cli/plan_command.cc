#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/config/config.h"
#include "common/flags/role_flags.h"
#include "common/json/json_text.h"
#include "data/tokenizer/tokenizer.h"
#include "model/bagel_folder.h"
#include "model_cli/commands.h"
#include "nlohmann/json.hpp"
#include "policy/learner_memory.h"
#include "policy/run_policy.h"

namespace lvrpo {
namespace {

constexpr char kPublished[] = "bagel-7b";
constexpr int kMostRanksShown = 64;

struct PlanFlags {
  std::string config, like;
  std::vector<std::string> overrides;
  int ranks = 0;
  bool json = false;
};

// What a plan is made from.
struct PlannedRun {
  v1::RunConfig config;
  BagelConfig model;
  LearnerLoad load;
  // PlanLearner's only errors are those that any number of ranks has: ReadRun() has found none.
  RoleMemory Memory(int64_t ranks, int64_t rank = 0) const {
    return PlanLearner(config, model, load, ranks, rank).value();
  }
};

absl::StatusOr<PlannedRun> Checked(PlannedRun run) {
  const absl::Status status = PlanLearner(run.config, run.model, run.load, /*ranks=*/1).status();
  if (!status.ok()) return status;
  return run;
}

absl::StatusOr<PlannedRun> ReadRun(const PlanFlags& flags) {
  absl::StatusOr<LoadedConfig> loaded = LoadRunConfig(flags.config, flags.overrides);
  if (!loaded.ok()) return loaded.status();
  PlannedRun run = {.config = std::move(loaded->config), .model = {}, .load = {}};
  const std::string& folder = run.config.model().policy();
  if (flags.like.empty()) {
    absl::StatusOr<BagelFolder> model = OpenBagelFolder(folder);
    if (!model.ok()) return model.status();
    run.model = std::move(model->config);
    const bool casts = CastsWeights(run.config, model->weights);
    const absl::StatusOr<std::unique_ptr<Tokenizer>> tokenizer = LoadTokenizer(folder);
    if (!tokenizer.ok()) return tokenizer.status();
    const absl::StatusOr<PromptSource> prompts = PromptSource::Load(run.config, **tokenizer, run.model);
    if (!prompts.ok()) return prompts.status();
    run.load = LearnerLoadOf(run.config, run.model, *prompts);
    run.load.casts = casts;
    return Checked(std::move(run));
  }
  if (flags.like != kPublished) {
    absl::StatusOr<BagelConfig> model = LoadBagelConfig(flags.like);
    if (!model.ok()) return model.status();
    run.model = *std::move(model);
  }
  absl::StatusOr<LearnerLoad> load = AssumedLoad(run.config, run.model);
  if (!load.ok()) return load.status();
  run.load = *load;
  return Checked(std::move(run));
}

constexpr std::pair<MemoryPlace, const char*> kPlaces[] = {{MemoryPlace::kDevice, "device"},
                                                           {MemoryPlace::kHost, "host"}};

std::string InGigabytes(int64_t bytes) {
  return absl::StrFormat("%.3f GB", static_cast<double>(bytes) / 1e9);
}

// Of the device, if the run has one, and of the host.
std::string Totals(const RoleMemory& memory) {
  const int64_t device = memory.total(MemoryPlace::kDevice), host = memory.total(MemoryPlace::kHost);
  return device == 0 ? InGigabytes(host) : absl::StrCat(InGigabytes(device), " + ", InGigabytes(host));
}

void PrintTable(const PlannedRun& run, int ranks) {
  const bool sharded = run.config.learner().sharded();
  const auto row = [](const std::string& what, const std::string& bytes, const std::string& how) {
    return absl::StrFormat("  %-36s %15s   %s\n", what, bytes, how);
  };
  const RoleMemory memory = run.Memory(ranks);
  const bool device = memory.total(MemoryPlace::kDevice) > 0;
  std::string text = absl::StrCat("Memory of rank 0 of a learner of ", ranks, ranks == 1 ? " rank" : " ranks",
                                  sharded ? ", sharded" : ", not sharded (learner.sharded)", "\n");
  for (const auto& [place, name] : kPlaces) {
    if (memory.total(place) == 0) continue;
    text += device ? absl::StrCat("\nof the ", name, "\n") : "\n";
    for (const MemoryLine& line : memory.lines) {
      if (line.place == place) text += row(line.what, InGigabytes(line.bytes), line.how);
    }
    text += row("together", InGigabytes(memory.total(place)),
                place == MemoryPlace::kHost ? "and LibTorch with the program, about 0.3 GB" : "");
  }
  if (sharded) {
    text += absl::StrCat("\nrank 0, and each other rank, by the number of ranks",
                         device ? "; of the device and of the host\n" : "\n");
    for (int other = 1; other <= kMostRanksShown; other *= 2)
      text += row(absl::StrCat(other), Totals(run.Memory(other)),
                  other == 1 ? std::string() : Totals(run.Memory(other, 1)));
  }
  std::fputs(text.c_str(), stdout);
}

void PrintJson(const PlannedRun& run, int ranks) {
  const RoleMemory memory = run.Memory(ranks);
  nlohmann::json lines = nlohmann::json::array();
  for (const MemoryLine& line : memory.lines) {
    const char* place = line.place == MemoryPlace::kDevice ? "device" : "host";
    lines.push_back({{"what", line.what}, {"bytes", line.bytes}, {"memory", place}, {"how", line.how}});
  }
  const nlohmann::json plan = {{"ranks", ranks},
                               {"sharded", run.config.learner().sharded()},
                               {"bytes", memory.total()},
                               {"device_bytes", memory.total(MemoryPlace::kDevice)},
                               {"host_bytes", memory.total(MemoryPlace::kHost)},
                               {"lines", lines}};
  std::fputs((JsonText(plan, 1) + "\n").c_str(), stdout);
}

absl::Status Plan(const PlanFlags& flags) {
  const absl::StatusOr<PlannedRun> run = ReadRun(flags);
  if (!run.ok()) return run.status();
  const int ranks = flags.ranks > 0 ? flags.ranks : run->config.local().learner_ranks();
  flags.json ? PrintJson(*run, ranks) : PrintTable(*run, ranks);
  return absl::OkStatus();
}

}  // namespace

Command AddPlanCommand(CLI::App& app) {
  const auto flags = std::make_shared<PlanFlags>();
  CLI::App* sub = app.add_subcommand(
      "plan", "show what a learner rank of a run needs in memory, part by part; reads no weights");
  sub->add_option("--config", flags->config, "run configuration (YAML)")->required();
  sub->add_option("--set", flags->overrides, "override one setting; may be repeated")->take_all();
  sub->add_option(
      "--like", flags->like,
      "instead of the run's model: bagel-7b, or a model folder whose sizes are taken; then prompts "
      "are not read, but taken to be of 128 tokens");
  sub->add_option("--ranks", flags->ranks, "ranks of the learner; 0: local.learner_ranks")
      ->check(CLI::Range(0, 1 << 16))
      ->capture_default_str();
  sub->add_flag("--json", flags->json, "as JSON, in bytes");
  return {sub, [flags] { return Explain(std::string(kModelProgram) + " plan", Plan(*flags)); }};
}

}  // namespace lvrpo
