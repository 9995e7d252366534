#include "algorithm/sample_settings.h"

namespace lvrpo {

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
