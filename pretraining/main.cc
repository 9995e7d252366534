#include <cstdio>
#include <string>

#include "CLI/CLI.hpp"
#include "common/exit_code.h"
#include "pretraining/autoencoder_task.h"
#include "pretraining/policy_task.h"
#include "pretraining/referee_task.h"
#include "shapes_world/prompt_files.h"
#include "torch/torch.h"

namespace lvrpo {
namespace {

void AddTrainerOptions(CLI::App* app, TrainerOptions* trainer) {
  app->add_option("--steps", trainer->steps, "iterations")->capture_default_str();
  app->add_option("--learning-rate", trainer->optimizer.learning_rate, "peak learning rate")
      ->capture_default_str();
  app->add_option("--warmup", trainer->optimizer.warmup_steps, "iterations of linear warm-up")
      ->capture_default_str();
  app->add_option("--weight-decay", trainer->optimizer.weight_decay, "decoupled weight decay")
      ->capture_default_str();
  app->add_option("--ema", trainer->ema_decay, "decay of the weights' moving average; 0 = none")
      ->capture_default_str();
  app->add_option("--checkpoint", trainer->checkpoint, "checkpoint file");
  app->add_option("--checkpoint-every", trainer->checkpoint_every, "iterations between checkpoints")
      ->capture_default_str();
  app->add_option("--report-every", trainer->report_every, "iterations between progress lines")
      ->capture_default_str();
  app->add_flag("--resume", trainer->resume, "go on from the checkpoint if there is one");
}

int Main(int argc, char** argv) {
  CLI::App app("Pre-trains the embedded default: autoencoder, referee, policy (paper, equations 1, 13, 14).");
  app.require_subcommand(1);
  int threads = 1;
  app.add_option("--threads", threads, "CPU threads; results depend on it in the last bits")
      ->capture_default_str();

  AutoencoderTask autoencoder;
  autoencoder.trainer.steps = 6000;
  autoencoder.trainer.ema_decay = 0.998;
  autoencoder.trainer.optimizer = {
      .learning_rate = 2e-3, .weight_decay = 1e-4, .warmup_steps = 100, .cosine_floor = 0.02};
  CLI::App* autoencoder_app = app.add_subcommand("autoencoder", "train the autoencoder of images");
  AddTrainerOptions(autoencoder_app, &autoencoder.trainer);
  autoencoder_app->add_option("--out", autoencoder.out, "folder for the result")->required();
  autoencoder_app->add_option("--seed", autoencoder.seed, "seed of all random numbers")
      ->capture_default_str();
  autoencoder_app->add_option("--batch", autoencoder.batch, "images per iteration")->capture_default_str();

  RefereeTask referee;
  referee.trainer.steps = 6000;
  referee.trainer.ema_decay = 0.998;
  referee.trainer.optimizer = {
      .learning_rate = 2e-3, .weight_decay = 1e-4, .warmup_steps = 100, .cosine_floor = 0.02};
  CLI::App* referee_app = app.add_subcommand("referee", "train the referee, a tiny SigLIP 2");
  AddTrainerOptions(referee_app, &referee.trainer);
  referee_app->add_option("--out", referee.out, "folder for the result")->required();
  referee_app->add_option("--seed", referee.seed, "seed of all random numbers")->capture_default_str();
  referee_app->add_option("--batch", referee.batch, "images per iteration")->capture_default_str();

  PolicyTask policy;
  policy.trainer.steps = 8000;
  policy.trainer.ema_decay = 0.999;
  policy.trainer.optimizer = {
      .learning_rate = 1.5e-3, .weight_decay = 1e-2, .warmup_steps = 200, .cosine_floor = 0.02};
  CLI::App* policy_app =
      app.add_subcommand("policy", "train the base policy: text to image and understanding");
  AddTrainerOptions(policy_app, &policy.trainer);
  policy_app->add_option("--out", policy.out, "folder of the model")->required();
  policy_app->add_option("--autoencoder", policy.autoencoder, "folder that `autoencoder` wrote")->required();
  policy_app->add_option("--referee", policy.referee, "folder that `referee` wrote")->required();
  policy_app->add_option("--prompts", policy.prompts, "folder that `prompts` wrote")->required();
  policy_app->add_option("--start", policy.start, "weights to start from");
  policy_app->add_option("--seed", policy.seed, "seed of all random numbers")->capture_default_str();
  policy_app->add_option("--batch", policy.batch, "text-to-image samples per iteration")
      ->capture_default_str();
  policy_app
      ->add_option("--understanding-batch", policy.understanding_batch, "understanding samples; 0 = none")
      ->capture_default_str();
  policy_app->add_option("--understanding-every", policy.understanding_every, "iterations")
      ->capture_default_str();
  policy_app->add_option("--cached-pairs", policy.cached_pairs, "pairs encoded once")->capture_default_str();
  policy_app
      ->add_option("--score-prompts", policy.score_prompts_per_kind, "held-out prompts of each kind scored")
      ->capture_default_str();

  shapes::PromptFileOptions prompts;
  std::string prompts_out;
  CLI::App* prompts_app = app.add_subcommand("prompts", "write the prompt files and the images of questions");
  prompts_app->add_option("--out", prompts_out, "folder for the files")->required();
  prompts_app->add_option("--seed", prompts.seed, "seed")->capture_default_str();

  for (CLI::App* sub : {autoencoder_app, referee_app, policy_app, prompts_app}) {
    sub->set_config("--config", "", "read options from this INI or TOML file");
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? kExitDone : kExitUsage;
  }
  torch::set_num_threads(threads);

  absl::Status status;
  if (autoencoder_app->parsed()) {
    autoencoder.trainer.optimizer.total_steps = autoencoder.trainer.steps;
    status = TrainAutoencoder(autoencoder);
  } else if (referee_app->parsed()) {
    referee.trainer.optimizer.total_steps = referee.trainer.steps;
    status = TrainReferee(referee);
  } else if (policy_app->parsed()) {
    policy.trainer.optimizer.total_steps = policy.trainer.steps;
    status = TrainPolicy(policy);
  } else if (prompts_app->parsed()) {
    status = shapes::WritePromptFiles(prompts_out, prompts);
  }
  if (!status.ok()) std::fprintf(stderr, "lvrpo-pretrain: %s\n", std::string(status.message()).c_str());
  return ExitCodeFor(status);
}

}  // namespace
}  // namespace lvrpo

int main(int argc, char** argv) { return lvrpo::Main(argc, argv); }
