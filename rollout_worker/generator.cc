#include "rollout_worker/generator.h"

#include <cmath>
#include <stdexcept>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/thrown.h"
#include "data/image/image_message.h"
#include "generation/text_engine.h"
#include "policy/sample_settings.h"

namespace lvrpo {
namespace {

double SecondsSince(absl::Time begin) { return absl::ToDoubleSeconds(RealClock().Now() - begin); }

}  // namespace

GeneratedGroup Generator::Generate(const Policy& policy, const PromptSource::Prompt& prompt,
                                   const v1::Lease& lease) const {
  torch::NoGradGuard no_grad;
  GeneratedGroup group;
  group.lease = lease;
  v1::TrajectoryGroup& trajectory = group.trajectory;
  trajectory.set_ordinal(lease.ordinal());
  trajectory.set_attempt(lease.attempt());
  *trajectory.mutable_prompt() = prompt.record;
  *trajectory.mutable_version() = policy.version;
  *trajectory.mutable_prompt_ids() = {prompt.ids.begin(), prompt.ids.end()};
  *group.score_request.mutable_prompt() = prompt.record;
  for (int slot = 0; slot < lease.group_size(); ++slot) trajectory.add_samples()->set_slot(slot);
  if (prompt.record.task() == v1::TASK_KIND_TEXT) {
    GenerateTexts(policy, prompt, group);
  } else {
    GenerateImages(policy, prompt, group);
  }
  for (const v1::Sample& sample : trajectory.samples()) {
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

void Generator::GenerateImages(const Policy& policy, const PromptSource::Prompt& prompt,
                               GeneratedGroup& group) const {
  const v1::RolloutConfig& rollout = config_.rollout();
  const Bagel& model = policy.model;
  const auto ordinal = static_cast<uint32_t>(group.lease.ordinal());
  const int64_t side = ImageGridSide(model.config());

  absl::Time begin = RealClock().Now();
  const KvCache context = model.PrefillPrompt(prompt.ids);
  group.prefill_seconds = SecondsSince(begin);

  begin = RealClock().Now();
  const ImageSampleOptions options = SampleOptions(
      rollout,
      DrawWindow(config_.seed(), ordinal, rollout.window_size(), rollout.window_lo(), rollout.window_hi()));
  const ImageSamples samples = SampleImages(
      BagelVelocity(model, context, side, side, {.text_scale = rollout.cfg_scale()}),
      group.lease.group_size(), side * side, model.config().token_dim(), config_.seed(), ordinal, options);
  group.sample_seconds = SecondsSince(begin);

  begin = RealClock().Now();
  const std::vector<RgbImage> images = ToRgbImages(
      autoencoder_.Decode(Unpatchify(samples.final_latents, model.config().latent_patch, side, side)));
  const bool as_png = config_.reward().image_transport() == "png";
  for (const RgbImage& image : images)
    *group.score_request.add_items()->mutable_image() = ToMessage(image, as_png);
  group.decode_seconds = SecondsSince(begin);

  v1::ImageSettings& settings = *group.trajectory.mutable_image();
  *settings.mutable_timesteps() = {options.timesteps.begin(), options.timesteps.end()};
  settings.set_window_begin(options.window.begin);
  settings.set_window_size(options.window.size);
  settings.set_kernel(rollout.kernel());
  settings.set_noise_level(rollout.noise_level());
  settings.set_tokens(static_cast<int32_t>(side * side));
  settings.set_token_dim(static_cast<int32_t>(model.config().token_dim()));
  settings.set_grid_height(static_cast<int32_t>(side));
  settings.set_grid_width(static_cast<int32_t>(side));
  for (int slot = 0; slot < group.trajectory.samples_size(); ++slot) {
    v1::Sample& sample = *group.trajectory.mutable_samples(slot);
    const torch::Tensor latents = samples.window_latents[slot].contiguous();
    sample.set_latents(latents.data_ptr(), static_cast<size_t>(latents.numel()) * 4);
    for (int k = 0; k < options.window.size; ++k)
      sample.add_log_probs(samples.log_probs[slot][k].item<double>());
  }
}

void Generator::GenerateTexts(const Policy& policy, const PromptSource::Prompt& prompt,
                              GeneratedGroup& group) const {
  const v1::RolloutConfig& rollout = config_.rollout();
  absl::Time begin = RealClock().Now();
  const KvCache context = policy.model.PrefillQuestion(FromRgbImages({prompt.source_image}), prompt.ids);
  group.prefill_seconds = SecondsSince(begin);
  begin = RealClock().Now();
  const TextRequest request = {.context = context,
                               .start = policy.model.config().bos,
                               .samples = group.lease.group_size(),
                               .group = static_cast<uint32_t>(group.lease.ordinal()),
                               .options = {.max_tokens = rollout.max_text_tokens(),
                                           .temperature = rollout.temperature(),
                                           .eos = tokenizer_.eos()},
                               .stop = {}};
  const absl::StatusOr<TextSamples> samples = GenerateText(policy.model, request, config_.seed());
  if (!samples.ok()) throw std::runtime_error(std::string(samples.status().message()));
  group.sample_seconds = SecondsSince(begin);
  for (size_t slot = 0; slot < samples->ids.size(); ++slot) {
    v1::Sample& sample = *group.trajectory.mutable_samples(static_cast<int>(slot));
    *sample.mutable_response_ids() = {samples->ids[slot].begin(), samples->ids[slot].end()};
    *sample.mutable_log_probs() = {samples->log_probs[slot].begin(), samples->log_probs[slot].end()};
    group.score_request.add_items()->set_text(tokenizer_.Decode(samples->ids[slot]));
  }
  group.trajectory.set_image_width(prompt.source_image.width);
  group.trajectory.set_image_height(prompt.source_image.height);
  group.trajectory.set_image_rgb(prompt.source_image.pixels.data(), prompt.source_image.pixels.size());
}

}  // namespace lvrpo
