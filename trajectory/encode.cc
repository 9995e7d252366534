#include "trajectory/codec.h"

namespace lvrpo {
namespace {

void Encode(const ImageGroup& images, const v1::RolloutConfig& rollout, v1::TrajectoryGroup& group) {
  const ImageSampleOptions& options = images.options;
  v1::ImageSettings& settings = *group.mutable_image();
  *settings.mutable_timesteps() = {options.timesteps.begin(), options.timesteps.end()};
  settings.set_window_begin(options.window.begin);
  settings.set_window_size(options.window.size);
  settings.set_kernel(rollout.kernel());
  settings.set_noise_level(options.noise_level);
  settings.set_tokens(static_cast<int32_t>(images.grid.tokens()));
  settings.set_token_dim(static_cast<int32_t>(images.latents.size(3)));
  settings.set_grid_height(static_cast<int32_t>(images.grid.height));
  settings.set_grid_width(static_cast<int32_t>(images.grid.width));
  const torch::Tensor log_probs = images.log_probs.cpu().contiguous(), all = images.latents.cpu();
  const int64_t window = log_probs.size(1);
  for (int64_t slot = 0; slot < images.latents.size(0); ++slot) {
    v1::Sample& sample = *group.add_samples();
    sample.set_slot(static_cast<int32_t>(slot));
    const torch::Tensor latents = all[slot].contiguous();
    sample.set_latents(latents.data_ptr(), static_cast<size_t>(latents.numel()) * sizeof(float));
    const double* own = log_probs.data_ptr<double>() + slot * window;
    *sample.mutable_log_probs() = {own, own + window};
  }
}

void Encode(const TextGroup& texts, v1::TrajectoryGroup& group) {
  group.set_image_width(texts.image.width);
  group.set_image_height(texts.image.height);
  group.set_image_rgb(texts.image.pixels.data(), texts.image.pixels.size());
  for (size_t slot = 0; slot < texts.ids.size(); ++slot) {
    v1::Sample& sample = *group.add_samples();
    sample.set_slot(static_cast<int32_t>(slot));
    *sample.mutable_response_ids() = {texts.ids[slot].begin(), texts.ids[slot].end()};
    *sample.mutable_log_probs() = {texts.log_probs[slot].begin(), texts.log_probs[slot].end()};
  }
}

}  // namespace

v1::TrajectoryGroup EncodeGroup(const SampledGroup& group, const v1::PromptRecord& record,
                                const v1::RolloutConfig& rollout) {
  v1::TrajectoryGroup encoded;
  encoded.set_ordinal(group.ordinal);
  encoded.set_attempt(group.attempt);
  *encoded.mutable_prompt() = record;
  *encoded.mutable_version() = group.version;
  *encoded.mutable_prompt_ids() = {group.prompt_ids.begin(), group.prompt_ids.end()};
  if (const ImageGroup* images = std::get_if<ImageGroup>(&group.samples)) {
    Encode(*images, rollout, encoded);
  } else {
    Encode(std::get<TextGroup>(group.samples), encoded);
  }
  return encoded;
}

}  // namespace lvrpo
