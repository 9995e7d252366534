#include "learner/step/self_test.h"

#include <algorithm>

#include "generation/text_engine.h"
#include "learner/step/text_objective.h"
#include "model/autoencoder.h"
#include "policy/sample_settings.h"

namespace lvrpo {
namespace {

constexpr int64_t kMostSide = 4;  // latent tokens, or patches of the source image

std::vector<int32_t> PromptIds() { return {1, 2, 3}; }

RgbImage GrayImage(const BagelConfig& model) {
  RgbImage gray;
  gray.width = gray.height = static_cast<int>(model.vit_patch * std::min(model.vit_max_side, kMostSide));
  gray.pixels.assign(static_cast<size_t>(gray.width) * gray.height * 3, 0x40);
  return gray;
}

SampledGroup GroupOf(std::variant<ImageGroup, TextGroup> samples) {
  SampledGroup group;
  group.prompt_ids = PromptIds();
  group.samples = std::move(samples);
  return group;
}

}  // namespace

SampledGroup OwnImages(const Bagel& policy, const v1::RunConfig& config) {
  torch::NoGradGuard no_grad;
  const v1::RolloutConfig& rollout = config.rollout();
  const int64_t side = std::min(policy.config().max_latent_side, kMostSide);
  const LatentGrid grid = {.height = side, .width = side};
  const ImageSampleOptions options =
      SampleOptions(rollout, {.begin = rollout.window_lo(), .size = rollout.window_size()});
  const VelocityFunction velocity =
      BagelVelocity(policy, policy.PrefillPrompt(PromptIds()), grid, {.text_scale = rollout.cfg_scale()});
  const ImageSamples samples = SampleImages(velocity, rollout.group_size(), grid.tokens(),
                                            policy.config().token_dim(), config.seed(), 0, options);
  return GroupOf(ImageGroup{
      .options = options, .grid = grid, .latents = samples.window_latents, .log_probs = samples.log_probs});
}

absl::StatusOr<SampledGroup> OwnTexts(const Bagel& policy, const v1::RunConfig& config) {
  torch::NoGradGuard no_grad;
  const BagelConfig& model = policy.config();
  const v1::RolloutConfig& rollout = config.rollout();
  const RgbImage gray = GrayImage(model);
  const KvCache context = policy.PrefillQuestion(FromRgbImages({gray}), PromptIds());
  const TextRequest request = {.context = context,
                               .start = model.bos,
                               .samples = rollout.group_size(),
                               .options = {.max_tokens = rollout.max_text_tokens(),
                                           .temperature = rollout.temperature(),
                                           .eos = model.eos},
                               .stop = {}};
  absl::StatusOr<TextSamples> samples = GenerateText(policy, request, config.seed());
  if (!samples.ok()) return samples.status();
  return GroupOf(
      TextGroup{.image = gray, .ids = std::move(samples->ids), .log_probs = std::move(samples->log_probs)});
}

absl::StatusOr<SelfTestResult> TestOwnLogProbs(const Policies& models, const ObjectiveSettings& settings,
                                               const v1::RunConfig& config, bool images, bool texts) {
  torch::NoGradGuard no_grad;
  SelfTestResult result;
  if (images) {
    const SampledGroup sampled = OwnImages(models.policy, config);
    const auto& own = std::get<ImageGroup>(sampled.samples);
    const VelocityFunction velocity = BagelVelocity(
        models.policy, models.policy.PrefillPrompt(sampled.prompt_ids), own.grid, settings.guidance);
    const torch::Tensor again = WindowLogProbs(velocity, own.latents, own.options);
    result.image = (again - own.log_probs).abs().max().item<double>();
  }
  if (texts) {
    const absl::StatusOr<SampledGroup> sampled = OwnTexts(models.policy, config);
    if (!sampled.ok()) return sampled.status();
    const TextObjective own(std::get<TextGroup>(sampled->samples), sampled->prompt_ids, models, settings,
                            /*current=*/true);
    result.text = ((own.LogProbs(models.policy) - own.log_probs()) * own.mask()).abs().max().item<double>();
  }
  return result;
}

}  // namespace lvrpo
