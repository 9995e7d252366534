#include <map>
#include <optional>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/allocator.h"
#include "common/exit_code.h"
#include "common/flags/role_flags.h"
#include "common/flags/run_main.h"
#include "common/version.h"
#include "pretraining/autoencoder_task.h"
#include "pretraining/policy_task.h"
#include "pretraining/referee_task.h"
#include "pretraining/settings.h"
#include "shapes_world/prompt_files.h"
#include "torch/torch.h"

namespace lvrpo {
namespace {

constexpr char kProgram[] = "lvrpo-pretrain";

// The options of one command. Settings come from its YAML file; an option is another way to write one of
// them, and wins over the file.
template <typename Settings>
class Command {
 public:
  Command(CLI::App& parent, const std::string& name, const std::string& what)
      : app_(*parent.add_subcommand(name, what)), defaults_(FlatSettings(DefaultSettings<Settings>())) {
    app_.add_option("--config", config_, "settings (YAML)");
    app_.add_option("--set", sets_, "override one setting, e.g. --set train.steps=10; may be repeated")
        ->take_all();
    Text("--out", "out", "folder for the result");
    Number("--seed", "seed", "seed of every random number");
  }
  Command(const Command&) = delete;

  void Number(const std::string& flag, const std::string& field, const std::string& help) {
    app_.add_option_function<std::string>(
            flag, [this, flag, field](const std::string& value) { Override(flag, field, value); },
            absl::StrCat(help, " (", field, ")"))
        ->default_str(defaults_.at(field));
  }
  void Text(const std::string& flag, const std::string& field, const std::string& help) {
    // Quoted, so that it is text to YAML whatever it holds.
    app_.add_option_function<std::string>(
        flag,
        [this, flag, field](const std::string& value) {
          Override(flag, field, absl::StrCat("'", absl::StrReplaceAll(value, {{"'", "''"}}), "'"));
        },
        absl::StrCat(help, " (", field, ")"));
  }
  // Options shared by the training commands.
  void Training() {
    Number("--threads", "threads", "CPU threads; results depend on it in the last bits");
    Number("--batch", "batch", "samples per iteration");
    Number("--steps", "train.steps", "iterations");
    Text("--checkpoint", "train.checkpoint", "checkpoint file");
    app_.add_flag(
        "--resume", resume_,
        "continue from the checkpoint, if there is one; only with the settings that it was made with");
  }

  bool parsed() const { return app_.parsed(); }
  bool resume() const { return resume_; }
  absl::StatusOr<Settings> Load() const {
    std::vector<ConfigOverride> overrides = overrides_;
    for (const std::string& text : sets_) overrides.push_back({.text = text});
    return LoadSettings<Settings>(config_, overrides);
  }

 private:
  void Override(const std::string& flag, const std::string& field, const std::string& value) {
    overrides_.push_back({.text = absl::StrCat(field, "=", value), .where = flag});
  }

  CLI::App& app_;
  const std::map<std::string, std::string> defaults_;
  std::string config_;
  std::vector<std::string> sets_;
  std::vector<ConfigOverride> overrides_;
  bool resume_ = false;
};

// Runs `work` on the settings of a command; gives the exit code.
template <typename Settings, typename Work>
int Execute(const Command<Settings>& command, const Work& work) {
  const absl::StatusOr<Settings> settings = command.Load();
  if (!settings.ok()) {
    Explain(kProgram, settings.status());
    return kExitConfig;
  }
  const absl::Status status = work(*settings);
  const int code = Explain(kProgram, status);
  return absl::IsOutOfRange(status) ? kExitDiverged : code;
}

// The same for a command that trains.
template <typename Settings>
int Train(const Command<Settings>& command, absl::Status (*train)(const Settings&, bool resume)) {
  return Execute(command, [&](const Settings& settings) {
    KeepFreedMemory();
    torch::set_num_threads(settings.threads());
    return train(settings, command.resume());
  });
}

absl::Status WritePrompts(const v1::PretrainPrompts& settings) {
  return shapes::WritePromptFiles(settings.out(),
                                  {.seed = settings.seed(),
                                   .train_images_per_kind = settings.train_images_per_kind(),
                                   .heldout_images_per_kind = settings.heldout_images_per_kind(),
                                   .train_questions = settings.train_questions(),
                                   .heldout_questions = settings.heldout_questions()});
}

int Main(int argc, char** argv) {
  CLI::App app(
      "Makes the embedded default: prompt files, autoencoder, referee, base policy (paper, equations 1, 13, "
      "14). Settings come from a YAML file (configs/pretrain_*.yaml; each is documented in "
      "proto/lvrpo/v1/pretraining.proto); options override single ones.");
  app.set_version_flag("--version", kVersion);
  app.require_subcommand(1);

  Command<v1::PretrainAutoencoder> autoencoder(app, "autoencoder", "train the autoencoder of images");
  autoencoder.Training();
  Command<v1::PretrainReferee> referee(app, "referee", "train the referee, a tiny SigLIP 2");
  referee.Training();
  Command<v1::PretrainPolicy> policy(app, "policy", "train the base policy: text to image and understanding");
  policy.Training();
  policy.Text("--autoencoder", "autoencoder", "folder that `autoencoder` wrote");
  policy.Text("--referee", "referee", "folder that `referee` wrote");
  policy.Text("--prompts", "prompts", "folder that `prompts` wrote");
  policy.Text("--start", "start", "weights to start from");
  Command<v1::PretrainPrompts> prompts(app, "prompts", "write the prompt files and the images of questions");

  if (const std::optional<int> code = ParseFlags(app, argc, argv)) return *code;
  if (autoencoder.parsed()) return Train(autoencoder, TrainAutoencoder);
  if (referee.parsed()) return Train(referee, TrainReferee);
  if (policy.parsed()) return Train(policy, TrainPolicy);
  return Execute(prompts, WritePrompts);
}

}  // namespace
}  // namespace lvrpo

int main(int argc, char** argv) { return lvrpo::RunMain(lvrpo::kProgram, argc, argv, lvrpo::Main); }
