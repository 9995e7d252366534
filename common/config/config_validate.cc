#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/config/checkpoints_config.h"
#include "common/config/choices.h"
#include "common/config/config.h"
#include "common/config/config_problems.h"
#include "common/config/device_name.h"
#include "common/config/objective_config.h"
#include "common/config/reward_config.h"

namespace lvrpo {
namespace {

void CheckOptimizer(ConfigProblems& problems, const std::string& field,
                    const v1::OptimizerConfig& optimizer) {
  problems.Positive(field + ".learning_rate", optimizer.learning_rate());
  problems.Range(field + ".weight_decay", optimizer.weight_decay(), 0, 1);
  problems.Range(field + ".beta1", optimizer.beta1(), 0, 0.9999999);
  problems.Range(field + ".beta2", optimizer.beta2(), 0, 0.9999999);
  problems.Positive(field + ".eps", optimizer.eps());
  problems.Range(field + ".warmup_steps", optimizer.warmup_steps(), 0, 1e9);
  problems.Range(field + ".cosine_floor", optimizer.cosine_floor(), 0, 1);
  if (optimizer.trainable().empty())
    problems.Add(field + ".trainable", "is empty: name at least one pattern");
}

void CheckWeights(ConfigProblems& p, const v1::RunConfig& c) {
  p.OneOf("weights.transport", c.weights().transport(), kWeightTransports);
  p.Range("weights.gather_seconds", c.weights().gather_seconds(), 0.1, 600);
  if (c.weights().transport() == "nccl" && WeightsDevice(c.learner().device()) == "cpu") {
    p.Add("weights.transport",
          "nccl needs a GPU for the learner, which broadcasts: set learner.device to cuda, or use grpc");
  }
}

}  // namespace

std::vector<std::string> ValidateRunConfig(const v1::RunConfig& c) {
  ConfigProblems p;
  if (c.name().empty()) p.Add("name", "is empty");
  if (c.name().size() > 100) p.Add("name", "is longer than 100 characters");
  for (const char character : c.name()) {
    if (!isalnum(static_cast<unsigned char>(character)) && character != '-' && character != '_') {
      p.Add("name", absl::StrCat("'", c.name(), "' may hold letters, digits, '-' and '_' only"));
      break;
    }
  }
  if (c.out().empty()) p.Add("out", "is empty: name a folder");
  p.Exists("model.policy", c.model().policy());
  p.Exists("model.referee", c.model().referee());
  if (!c.model().vqa().empty()) p.Exists("model.vqa", c.model().vqa());
  if (!c.model().heldout_referee().empty()) p.Exists("model.heldout_referee", c.model().heldout_referee());

  p.Range("data.text_fraction", c.data().text_fraction(), 0, 1);
  if (c.data().text_fraction() < 1 && c.data().image_prompts().empty()) {
    p.Add("data.image_prompts", "is empty although text_fraction is below 1");
  }
  if (c.data().text_fraction() > 0 && c.data().text_prompts().empty()) {
    p.Add("data.text_prompts", "is empty although text_fraction is above 0");
  }
  for (int i = 0; i < c.data().image_prompts_size(); ++i)
    p.Exists(absl::StrCat("data.image_prompts[", i, "]"), c.data().image_prompts(i));
  for (int i = 0; i < c.data().text_prompts_size(); ++i)
    p.Exists(absl::StrCat("data.text_prompts[", i, "]"), c.data().text_prompts(i));
  if (!c.data().heldout_image_prompts().empty())
    p.Exists("data.heldout_image_prompts", c.data().heldout_image_prompts());
  if (!c.data().heldout_text_prompts().empty())
    p.Exists("data.heldout_text_prompts", c.data().heldout_text_prompts());

  const v1::RolloutConfig& rollout = c.rollout();
  p.Range("rollout.group_size", rollout.group_size(), 2, 1024);
  p.Range("rollout.timesteps", rollout.timesteps(), 2, 1000);
  p.Positive("rollout.shift", rollout.shift());
  p.OneOf("rollout.kernel", rollout.kernel(), kSdeKernels);
  // cps keeps the fraction cos(a pi / 2) of the old noise: 1 draws all of it again.
  p.Range("rollout.noise_level", rollout.noise_level(), 1e-6, rollout.kernel() == "cps" ? 1 : 10);
  if (rollout.antithetic() && rollout.group_size() % 2 != 0) {
    p.Add("rollout.antithetic",
          absl::StrCat("needs pairs, but rollout.group_size is ", rollout.group_size(), "; make it even"));
  }
  p.Range("rollout.cfg_scale", rollout.cfg_scale(), 1, 100);
  p.Range("rollout.image_size", rollout.image_size(), 1, 65535);
  p.Range("rollout.max_text_tokens", rollout.max_text_tokens(), 1, 100000);
  p.Positive("rollout.temperature", rollout.temperature());
  // Heartbeats renew leases: one may be lost.
  p.Range("rollout.lease_seconds", rollout.lease_seconds(), 3 * c.coordinator().heartbeat_seconds(), 1e6);
  p.Range("rollout.lease_limit_seconds", rollout.lease_limit_seconds(), rollout.lease_seconds(), 1e6);

  for (const auto& [field, device] :
       {std::pair<const char*, const std::string&>{"rollout.device", rollout.device()},
        {"reward.device", c.reward().device()},
        {"learner.device", c.learner().device()}}) {
    if (const absl::Status status = ParseDeviceName(device).status(); !status.ok())
      p.Add(field, std::string(status.message()));
  }

  CheckReward(c.reward(), p);
  CheckObjective(c, p);

  const v1::TrainConfig& train = c.train();
  p.Range("train.steps", train.steps(), 1, 1e9);
  p.Range("train.groups_per_step", train.groups_per_step(), 1, 100000);
  p.Range("train.updates_per_step", train.updates_per_step(), 1, 100);
  p.Range("train.mini_batches", train.mini_batches(), 1, std::max(1, train.groups_per_step()));
  p.Range("train.max_staleness", train.max_staleness(), 0, 100);
  CheckOptimizer(p, "train.image", train.image());
  CheckOptimizer(p, "train.text", train.text());
  p.Range("train.checkpoint_every", train.checkpoint_every(), 1, 1e9);
  p.Range("train.micro_batch", train.micro_batch(), 0, rollout.group_size());
  p.Range("train.gradient_clip", train.gradient_clip(), 0, 1e9);
  p.Range("train.max_nonfinite_steps", train.max_nonfinite_steps(), 1, 1000);
  p.Range("train.spool_mib", train.spool_mib(), 1, 1 << 30);
  p.Range("train.lora.rank", train.lora().rank(), 0, 65536);
  p.Positive("train.lora.alpha", train.lora().alpha());
  p.OneOf("model.weights_dtype", c.model().weights_dtype(), kWeightsDtypes);
  if (c.model().weights_dtype() == "bf16" && train.lora().rank() == 0 && !c.learner().sharded()) {
    p.Add("model.weights_dtype",
          "bf16 weights cannot be trained themselves, small steps vanish in them: set learner.sharded, which "
          "keeps fp32 masters of them, train.lora.rank, or fp32");
  }

  CheckCheckpoints(c.checkpoints(), p);

  p.Range("evaluation.every", c.evaluation().every(), 0, 1e9);
  if (c.evaluation().every() > 0 && train.checkpoint_every() > 0 &&
      c.evaluation().every() % train.checkpoint_every() != 0) {
    p.Add("evaluation.every",
          absl::StrCat(c.evaluation().every(), " is not a multiple of train.checkpoint_every (",
                       train.checkpoint_every(), "), whose checkpoints are evaluated"));
  }
  p.Range("evaluation.prompts_per_kind", c.evaluation().prompts_per_kind(), 1, 1e6);
  p.Range("evaluation.prompts_per_kind_between", c.evaluation().prompts_per_kind_between(), 1, 1e6);
  p.Range("evaluation.timesteps", c.evaluation().timesteps(), 2, 1000);
  p.Range("evaluation.batch", c.evaluation().batch(), 1, 10000);

  p.Positive("coordinator.heartbeat_seconds", c.coordinator().heartbeat_seconds());
  p.Range("coordinator.member_timeout_seconds", c.coordinator().member_timeout_seconds(),
          2 * c.coordinator().heartbeat_seconds(), 1e6);
  p.Positive("coordinator.watchdog_seconds", c.coordinator().watchdog_seconds());
  p.Positive("coordinator.drain_grace_seconds", c.coordinator().drain_grace_seconds());
  p.Range("coordinator.max_unscorable_groups", c.coordinator().max_unscorable_groups(), 1, 1e6);
  p.Range("local.rollout_workers", c.local().rollout_workers(), 1, 1000);
  p.Range("local.reward_servers", c.local().reward_servers(), 1, 1000);
  p.Range("local.threads_rollout", c.local().threads_rollout(), 1, 1024);
  p.Range("local.threads_reward", c.local().threads_reward(), 1, 1024);
  p.Range("local.threads_learner", c.local().threads_learner(), 1, 1024);
  p.Range("local.max_restarts", c.local().max_restarts(), 0, 1e6);
  p.Range("local.silent_seconds", c.local().silent_seconds(), 0, 1e6);
  if (c.local().silent_seconds() > 0 &&
      c.local().silent_seconds() < c.coordinator().member_timeout_seconds()) {
    p.Add("local.silent_seconds",
          absl::StrCat("must be 0 or at least coordinator.member_timeout_seconds (",
                       c.coordinator().member_timeout_seconds(), "): until then a member is only slow"));
  }
  p.Range("local.learner_ranks", c.local().learner_ranks(), 1, kMostLearnerRanks);
  if (c.local().learner_ranks() > train.groups_per_step() && train.groups_per_step() >= 1) {
    p.Add("local.learner_ranks",
          absl::StrCat(c.local().learner_ranks(), " is more than train.groups_per_step (",
                       train.groups_per_step(), "): some ranks would have nothing to train on"));
  }
  CheckWeights(p, c);
  if (c.learner().offload() && !c.learner().sharded()) {
    p.Add("learner.offload",
          "moves the parts of masters that ranks of a sharded learner keep: set learner.sharded");
  }
  p.Range("learner.collective_timeout_seconds", c.learner().collective_timeout_seconds(), 1, 1e6);
  if (!c.learner().step_copies().empty() && !absl::StartsWith(c.learner().step_copies(), "/")) {
    p.Add("learner.step_copies",
          absl::StrCat(c.learner().step_copies(),
                       " is not an absolute path of a folder in memory, such as /dev/shm/lvrpo"));
  }
  p.Positive("rpc.timeout_seconds", c.rpc().timeout_seconds());
  p.Range("rpc.max_message_mib", c.rpc().max_message_mib(), 4, 1024);
  return std::move(p.found);
}

}  // namespace lvrpo
