#include "rollout_worker/generator.h"

#include <cmath>
#include <stdexcept>

#include "absl/strings/str_cat.h"
#include "common/config/choices.h"
#include "common/stopwatch.h"
#include "common/thrown.h"
#include "data/image/image_message.h"
#include "generation/text_engine.h"
#include "policy/sample_settings.h"
#include "trajectory/codec.h"

namespace lvrpo {

GeneratedGroup Generator::Generate(const Policy& policy, const PromptSource::Prompt& prompt,
                                   const v1::Lease& lease) const {
  torch::NoGradGuard no_grad;
  GeneratedGroup group;
  group.lease = lease;
  *group.score_request.mutable_prompt() = prompt.record;
  SampledGroup sampled = {.ordinal = lease.id().ordinal(),
                          .attempt = lease.id().attempt(),
                          .version = policy.version,
                          .prompt_ids = prompt.ids,
                          .samples = {}};
  if (prompt.record.task() == v1::TASK_KIND_TEXT) {
    sampled.samples = GenerateTexts(policy, prompt, group);
  } else {
    sampled.samples = GenerateImages(policy, prompt, group);
  }
  group.trajectory = EncodeGroup(sampled, prompt.record, config_.rollout());
  for (const v1::Sample& sample : group.trajectory.samples()) {
    for (const double log_prob : sample.log_probs())
      group.log_probs_finite = group.log_probs_finite && std::isfinite(log_prob);
  }
  return group;
}

absl::Status Generator::CheckPrompt(const BagelConfig& model, const PromptSource::Prompt& prompt) const {
  const auto bad = [&](const std::string& what) {
    return absl::InvalidArgumentError(absl::StrCat("prompt ", prompt.record.id(), " ", what));
  };
  const bool text = prompt.record.task() == v1::TASK_KIND_TEXT;
  for (const int32_t id : prompt.ids) {
    if (id < 0 || id >= model.vocabulary)
      return bad(absl::StrCat("has the token ", id, ", which is not in the vocabulary"));
  }
  // Start and end of the prompt, an image's one position, the beginning of the answer.
  const int64_t positions =
      static_cast<int64_t>(prompt.ids.size()) + 3 + (text ? 1 + config_.rollout().max_text_tokens() : 1);
  if (positions > model.max_positions) {
    return bad(absl::StrCat("needs ", positions, " positions with its samples; the model has ",
                            model.max_positions));
  }
  return absl::OkStatus();
}

absl::StatusOr<GeneratedGroup> Generator::TryGenerate(const Policy& policy,
                                                      const PromptSource::Prompt& prompt,
                                                      const v1::Lease& lease) const {
  if (absl::Status fits = CheckPrompt(policy.model.config(), prompt); !fits.ok()) return fits;
  GeneratedGroup group;
  const absl::Status thrown = TryToRun([&] { group = Generate(policy, prompt, lease); });
  if (thrown.ok()) return group;
  return absl::Status(thrown.code(), absl::StrCat("prompt ", prompt.record.id(), ": ", thrown.message()));
}

ImageGroup Generator::GenerateImages(const Policy& policy, const PromptSource::Prompt& prompt,
                                     GeneratedGroup& group) const {
  const v1::RolloutConfig& rollout = config_.rollout();
  const Bagel& model = policy.model;
  const auto ordinal = static_cast<uint32_t>(group.lease.id().ordinal());
  const LatentGrid& grid = prompt.grid;

  Stopwatch watch;
  const KvCache context = model.PrefillPrompt(prompt.ids);
  group.prefill_seconds = watch.Lap();

  const ImageSampleOptions options =
      SampleOptions(rollout, GroupWindow(config_, ordinal, policy.version.number()));
  const ImageSamples samples = SampleImages(
      BagelVelocity(model, context, grid, {.text_scale = rollout.cfg_scale()}), group.lease.group_size(),
      grid.tokens(), model.config().token_dim(), config_.seed(), ordinal, options);
  group.sample_seconds = watch.Lap();

  const std::vector<RgbImage> images = ToRgbImages(autoencoder_.Decode(
      Unpatchify(samples.final_latents, model.config().latent_patch, grid.height, grid.width)));
  const bool as_png =
      Choose(kImageTransports, "reward.image_transport", config_.reward().image_transport()).value() ==
      ImageTransport::kPng;
  for (const RgbImage& image : images)
    *group.score_request.add_items()->mutable_image() = ToMessage(image, as_png);
  group.decode_seconds = watch.Lap();
  return {
      .options = options, .grid = grid, .latents = samples.window_latents, .log_probs = samples.log_probs};
}

TextGroup Generator::GenerateTexts(const Policy& policy, const PromptSource::Prompt& prompt,
                                   GeneratedGroup& group) const {
  const v1::RolloutConfig& rollout = config_.rollout();
  Stopwatch watch;
  const KvCache context = policy.model.PrefillQuestion(FromRgbImages({prompt.source_image}), prompt.ids);
  group.prefill_seconds = watch.Lap();
  const TextRequest request = {.context = context,
                               .start = policy.model.config().bos,
                               .samples = group.lease.group_size(),
                               .group = static_cast<uint32_t>(group.lease.id().ordinal()),
                               .options = {.max_tokens = rollout.max_text_tokens(),
                                           .temperature = rollout.temperature(),
                                           .eos = tokenizer_.eos()},
                               .stop = {}};
  absl::StatusOr<TextSamples> samples = GenerateText(policy.model, request, config_.seed());
  if (!samples.ok()) throw std::runtime_error(std::string(samples.status().message()));
  group.sample_seconds = watch.Lap();
  for (const std::vector<int32_t>& ids : samples->ids)
    group.score_request.add_items()->set_text(tokenizer_.Decode(ids));
  return {.image = prompt.source_image,
          .ids = std::move(samples->ids),
          .log_probs = std::move(samples->log_probs)};
}

}  // namespace lvrpo
