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
  RoleMemory Memory(int64_t ranks, int64_t rank = 0) const {
    return PlanLearner(config, model, load, ranks, rank);
  }
};

absl::StatusOr<PlannedRun> ReadRun(const PlanFlags& flags) {
  absl::StatusOr<LoadedConfig> loaded = LoadRunConfig(flags.config, flags.overrides);
  if (!loaded.ok()) return loaded.status();
  PlannedRun run = {.config = std::move(loaded->config), .model = {}, .load = {}};
  const std::string& folder = run.config.model().policy();
  if (flags.like.empty()) {
    absl::StatusOr<BagelFolder> model = OpenBagelFolder(folder);
    if (!model.ok()) return model.status();
    run.model = std::move(model->config);
    const absl::StatusOr<std::unique_ptr<Tokenizer>> tokenizer = LoadTokenizer(folder);
    if (!tokenizer.ok()) return tokenizer.status();
    const absl::StatusOr<PromptSource> prompts = PromptSource::Load(run.config, **tokenizer, run.model);
    if (!prompts.ok()) return prompts.status();
    run.load = LearnerLoadOf(run.config, run.model, *prompts);
    return run;
  }
  if (flags.like != kPublished) {
    absl::StatusOr<BagelConfig> model = LoadBagelConfig(flags.like);
    if (!model.ok()) return model.status();
    run.model = *std::move(model);
  }
  absl::StatusOr<LearnerLoad> load = AssumedLoad(run.config, run.model);
  if (!load.ok()) return load.status();
  run.load = *load;
  return run;
}

void PrintTable(const PlannedRun& run, int ranks) {
  const bool sharded = run.config.learner().sharded();
  const auto row = [](const std::string& what, int64_t bytes, const std::string& how) {
    return absl::StrFormat("  %-36s %12.3f GB   %s\n", what, static_cast<double>(bytes) / 1e9, how);
  };
  const auto others = [&](int count) {
    if (count == 1) return std::string();
    return absl::StrFormat("%.3f GB", static_cast<double>(run.Memory(count, 1).total()) / 1e9);
  };
  const RoleMemory memory = run.Memory(ranks);
  std::string text = absl::StrCat("Memory of rank 0 of a learner of ", ranks, ranks == 1 ? " rank" : " ranks",
                                  sharded ? ", sharded" : ", not sharded (learner.sharded)", "\n\n");
  for (const MemoryLine& line : memory.lines) text += row(line.what, line.bytes, line.how);
  text += row("together", memory.total(), "and LibTorch with the program, about 0.3 GB");
  if (sharded) {
    text += "\nrank 0, and each other rank, by the number of ranks\n";
    for (int other = 1; other <= kMostRanksShown; other *= 2)
      text += row(absl::StrCat(other), run.Memory(other).total(), others(other));
  }
  std::fputs(text.c_str(), stdout);
}

void PrintJson(const PlannedRun& run, int ranks) {
  const RoleMemory memory = run.Memory(ranks);
  nlohmann::json lines = nlohmann::json::array();
  for (const MemoryLine& line : memory.lines)
    lines.push_back({{"what", line.what}, {"bytes", line.bytes}, {"how", line.how}});
  const nlohmann::json plan = {{"ranks", ranks},
                               {"sharded", run.config.learner().sharded()},
                               {"bytes", memory.total()},
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
