// Measures the share of signal in the policy gradient, by family of tensors, to choose rollout settings and
// trained tensors. It decided the embedded default's (docs/benchmarks.md).
//
// The gradients g_1 .. g_n of n training steps are made from the same weights and independent samples, so
// what they have in common is the expected gradient: signal = mean over pairs of g_i g_j, total = mean of
// g_i^2. Their ratio is averaged over the elements of a family, each scaled by its own size as AdamW scales
// it. Steps needed until the sum has as much signal as noise: about 1 / ratio.

#include <cmath>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "algorithm/advantages.h"
#include "algorithm/image_loss.h"
#include "common/config/config.h"
#include "common/exit_code.h"
#include "common/flags/role_flags.h"
#include "policy/contract.h"
#include "reward_server/decode_request.h"
#include "reward_server/load_scorers.h"
#include "rollout_worker/generator.h"
#include "spdlog/spdlog.h"
#include "tests/benchmarks/world.h"
#include "trajectory/codec.h"

namespace lvrpo {
namespace {

constexpr char kProgram[] = "lvrpo-gradient-signal";

// "language_model.model.layers.3.self_attn.q_proj_moe_gen.weight" -> "self_attn.q_proj_moe_gen.weight"
std::string FamilyOf(const std::string& name) {
  const std::string layers = "language_model.model.layers.";
  if (!absl::StartsWith(name, layers)) return name;
  return name.substr(name.find('.', layers.size()) + 1);
}

// Sums over the gradients of steps, element by element.
struct Sums {
  torch::Tensor gradient, square;  // the tensor's shape
  void Add(const torch::Tensor& step) {
    gradient = gradient.defined() ? gradient + step : step.clone();
    square = square.defined() ? square + step.square() : step.square();
  }
};

// Share of signal of one family of tensors.
struct Share {
  double sum = 0;
  int64_t elements = 0;
  void Add(const Sums& sums, int steps) {
    const torch::Tensor used = sums.square > 0;
    const torch::Tensor square = sums.square.masked_select(used).to(torch::kFloat64);
    const torch::Tensor total = sums.gradient.masked_select(used).to(torch::kFloat64).square();
    sum += ((total - square) / square).sum().item<double>() / (steps - 1);
    elements += square.numel();
  }
  double value() const { return elements > 0 ? sum / static_cast<double>(elements) : 0; }
};

// Adds the gradient of one group's policy loss at ratio 1 to the .grad of the policy's tensors.
void AddGroupGradient(const v1::RunConfig& config, const Bagel& policy, const SampledGroup& group,
                      const torch::Tensor& advantages, const ImageLossOptions& loss, double global_terms) {
  const auto& images = std::get<ImageGroup>(group.samples);
  KvCache context;
  {
    torch::NoGradGuard no_grad;
    context = policy.PrefillPrompt(group.prompt_ids);
  }
  const VelocityFunction velocity =
      BagelVelocity(policy, context, images.grid, {.text_scale = config.rollout().cfg_scale()});
  for (int k = 0; k < images.options.window.size; ++k) {
    const WindowStep step = EvaluateWindowStep(velocity, images.latents, k, images.options);
    ImageLossInput input;
    input.step = step.step;
    input.x_next = images.latents.select(1, k + 1);
    input.velocity = step.velocity;
    input.mean = step.mean;
    input.log_prob_old = step.log_prob.detach();
    input.mean_old = step.mean.detach();
    input.advantages = advantages;
    input.global_terms = global_terms;
    ImageLoss(input, loss).loss.backward();
  }
}

// The configuration with every tensor trained that images use.
v1::RunConfig WithAllTensors(v1::RunConfig config) {
  *config.mutable_train()->mutable_image()->mutable_trainable() =
      DefaultRunConfig().train().image().trainable();
  return config;
}

// Prints the table of one configuration; gives the share over the tensors that it trains.
absl::StatusOr<double> Measure(const std::string& title, const v1::RunConfig& config, int steps) {
  const absl::StatusOr<World> world = LoadWorld(config);
  if (!world.ok()) return world.status();
  Metrics metrics;
  const absl::StatusOr<std::unique_ptr<ScorerSet>> scorers = LoadScorers(config, metrics);
  if (!scorers.ok()) return scorers.status();
  const absl::StatusOr<TrainedTensors> chosen = SelectTrainedTensors(config, world->base);
  if (!chosen.ok()) return chosen.status();
  const absl::StatusOr<TrainedTensors> selected = SelectTrainedTensors(WithAllTensors(config), world->base);
  if (!selected.ok()) return selected.status();

  TensorMap measured = CloneTensors(selected->image), tensors = world->base.tensors();
  for (auto& [name, tensor] : measured) {
    tensor.requires_grad_(true);
    tensors[name] = tensor;
  }
  const absl::StatusOr<Bagel> model = Bagel::Create(world->base.config(), tensors, "the policy");
  if (!model.ok()) return model.status();
  const Policy policy{*model, {}};
  const Generator generator(config, world->autoencoder, *world->tokenizer);

  const v1::TrainConfig& train = config.train();
  ImageLossOptions loss;
  loss.form = *Choose(kImageLossForms, "train.image_loss", train.image_loss());
  AdvantageOptions advantage;
  advantage.eps = train.advantage_eps();
  const int groups = train.groups_per_step(), size = config.rollout().group_size();
  const double terms = static_cast<double>(groups) * size * config.rollout().window_size();

  std::map<std::string, Sums> sums;
  for (int step = 0; step < steps; ++step) {
    for (int i = 0; i < groups; ++i) {
      const int64_t ordinal = int64_t{step} * groups + i;
      const PromptSource::Prompt& prompt = world->prompts.At(ordinal);
      const GeneratedGroup group = generator.Generate(policy, prompt, MakeLease(ordinal, size));
      const absl::StatusOr<SampledGroup> sampled =
          ReadGroup(group.trajectory, prompt, {config, world->base.config()});
      if (!sampled.ok()) return sampled.status();
      const absl::StatusOr<ScoringGroup> batch = DecodeRequest(group.score_request);
      if (!batch.ok()) return batch.status();
      const v1::ScoreResponse scores = (*scorers)->Score(*batch);
      torch::Tensor rewards = torch::empty({1, size}, torch::kFloat64);
      for (int slot = 0; slot < size; ++slot)
        rewards[0][slot] = static_cast<double>(scores.items(slot).reward());
      AddGroupGradient(config, *model, *sampled, GroupAdvantages(rewards, {}, advantage).advantages[0], loss,
                       terms);
    }
    torch::NoGradGuard no_grad;
    for (auto& [name, tensor] : measured) {
      sums[name].Add(tensor.grad());
      tensor.mutable_grad().reset();
    }
    std::fprintf(stderr, "%s: %s: step %d of %d\n", kProgram, title.c_str(), step + 1, steps);
  }

  std::map<std::string, Share> families;
  Share all, trained;
  for (const auto& [name, sum] : sums) {
    families[FamilyOf(name)].Add(sum, steps);
    all.Add(sum, steps);
    if (chosen->image.contains(name)) trained.Add(sum, steps);
  }
  const auto print = [&](const std::string& what, const Share& share) {
    std::printf("  %-44s %9lld elements  signal %7.4f  %6.1fx\n", what.c_str(),
                static_cast<long long>(share.elements), share.value(), share.value() / all.value());
  };
  std::printf("%s: %d steps of %d groups of %d\n", title.c_str(), steps, groups, size);
  for (const auto& [family, share] : families) print(family, share);
  print("what the configuration trains", trained);
  print("the whole generation half (the baseline)", all);
  std::fflush(stdout);
  return trained.value();
}

// The plain recipe to compare with: independent Flow-SDE noise (Flow-GRPO's fast setting), all tensors.
v1::RunConfig PlainRecipe(v1::RunConfig config) {
  v1::RolloutConfig& rollout = *config.mutable_rollout();
  rollout.set_kernel("flow_sde");
  rollout.set_noise_level(0.7);
  rollout.set_window_size(3);
  rollout.set_window_lo(0);
  rollout.set_window_hi(5);
  rollout.set_antithetic(false);
  return WithAllTensors(std::move(config));
}

absl::Status Compare(const v1::RunConfig& config, int steps) {
  if (!UsesImages(config) || UsesText(config)) {
    return absl::InvalidArgumentError(
        "the configuration has text groups; only image groups are measured: set data.text_fraction to 0 and "
        "name data.image_prompts");
  }
  spdlog::set_level(spdlog::level::warn);
  torch::set_num_threads(1);
  const absl::StatusOr<double> plain = Measure("plain recipe", PlainRecipe(config), steps);
  if (!plain.ok()) return plain.status();
  const absl::StatusOr<double> ours = Measure("configuration", config, steps);
  if (!ours.ok()) return ours.status();
  std::printf("signal in what is trained: %.4f, plain recipe %.4f", *ours, *plain);
  if (*plain > 0) std::printf(", %.1fx", *ours / *plain);
  std::printf(" (over all tensors a figure is good to about .002 at 40 steps)\n");
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  CLI::App app(
      "Measures how much of the image policy's gradient is signal, for a run's configuration and, as the "
      "baseline, for plain Flow-SDE noise. About two seconds a step on one core.");
  RoleFlags flags;
  flags.config = "configs/shapes.yaml";
  app.add_option("--config", flags.config, "run configuration (YAML)")->capture_default_str();
  app.add_option("--set", flags.overrides, "override one setting; may be repeated")->take_all();
  int steps = 40;
  app.add_option("--steps", steps, "training steps whose gradients are compared")
      ->capture_default_str()
      ->check(CLI::Range(2, 100000));
  if (const std::optional<int> code = ParseFlags(app, argc, argv)) return *code;
  const absl::StatusOr<LoadedConfig> loaded = LoadConfigOrExplain(kProgram, flags);
  if (!loaded.ok()) return kExitConfig;
  return Explain(kProgram, Compare(loaded->config, steps));
}

}  // namespace
}  // namespace lvrpo

int main(int argc, char** argv) { return lvrpo::Main(argc, argv); }
