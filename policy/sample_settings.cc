#include "policy/sample_settings.h"

namespace lvrpo {

int64_t ImageGridSide(const BagelConfig& model) {
  return kImageSide / model.autoencoder.downsample() / model.latent_patch;
}

int64_t ImageContextTokens(int64_t tokens, const BagelConfig& model) {
  return tokens + 2 + ImageGridSide(model) * ImageGridSide(model) + 2;
}

int64_t TextContextTokens(int64_t tokens, int64_t width, int64_t height, const v1::RolloutConfig& rollout,
                          const BagelConfig& model) {
  return (width / model.vit_patch) * (height / model.vit_patch) + 2 + tokens + 2 + rollout.max_text_tokens();
}

ImageSampleOptions SampleOptions(const v1::RolloutConfig& rollout, const Window& window) {
  return {.timesteps = Timesteps(rollout.timesteps(), rollout.shift()),
          .kernel = ParseSdeKernel(rollout.kernel()).value(),
          .noise_level = rollout.noise_level(),
          .window = window,
          .antithetic = rollout.antithetic()};
}

ImageSampleOptions SampleOptions(const v1::ImageSettings& settings) {
  return {.timesteps = {settings.timesteps().begin(), settings.timesteps().end()},
          .kernel = ParseSdeKernel(settings.kernel()).value(),
          .noise_level = settings.noise_level(),
          .window = {.begin = settings.window_begin(), .size = settings.window_size()}};
}

}  // namespace lvrpo
