#include "policy/sample_settings.h"

#include "absl/strings/str_cat.h"
#include "data/prompts/prompts.h"

namespace lvrpo {

absl::Status CheckImageSize(const v1::RolloutConfig& rollout, const BagelConfig& model) {
  const absl::Status fits = LatentGridOf(rollout.image_size(), rollout.image_size(), model).status();
  if (fits.ok()) return fits;
  return absl::InvalidArgumentError(absl::StrCat("rollout.image_size: ", fits.message()));
}

absl::StatusOr<LatentGrid> ImageGrid(const v1::PromptRecord& record, const v1::RolloutConfig& rollout,
                                     const BagelConfig& model) {
  const ImageSize size = ImageSizeOf(record, rollout);
  absl::StatusOr<LatentGrid> grid = LatentGridOf(size.width, size.height, model);
  if (grid.ok()) return grid;
  return absl::InvalidArgumentError(
      absl::StrCat("prompt '", record.id(), "' asks for ", grid.status().message()));
}

int64_t ImageContextTokens(int64_t tokens, const LatentGrid& grid) { return tokens + 2 + grid.tokens() + 2; }

int64_t TextContextTokens(int64_t tokens, int64_t width, int64_t height, const v1::RolloutConfig& rollout,
                          const BagelConfig& model) {
  return (width / model.vit_patch) * (height / model.vit_patch) + 2 + tokens + 2 + rollout.max_text_tokens();
}

Window GroupWindow(const v1::RunConfig& config, int64_t ordinal, int64_t steps) {
  const v1::RolloutConfig& rollout = config.rollout();
  const int size = rollout.window_size(), lo = rollout.window_lo(), hi = rollout.window_hi();
  switch (Choose(kWindowDraws, "rollout.window_draw", rollout.window_draw()).value()) {
    case WindowDraw::kFixed:
      return {.begin = lo, .size = size};
    case WindowDraw::kSliding:
      return SlidingWindow(steps, rollout.window_every(), size, lo, hi);
    case WindowDraw::kRandom:
      break;
  }
  return DrawWindow(config.seed(), static_cast<uint32_t>(ordinal), size, lo, hi);
}

ImageSampleOptions SampleOptions(const v1::RolloutConfig& rollout, const Window& window) {
  return {.timesteps = Timesteps(rollout.timesteps(), rollout.shift()),
          .kernel = Choose(kSdeKernels, "rollout.kernel", rollout.kernel()).value(),
          .noise_level = rollout.noise_level(),
          .window = window,
          .antithetic = rollout.antithetic(),
          .initial_noise = Choose(kInitialNoises, "rollout.initial_noise", rollout.initial_noise()).value()};
}

}  // namespace lvrpo
