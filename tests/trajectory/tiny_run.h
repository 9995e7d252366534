#pragma once

#include "common/config/config.h"
#include "generation/text_engine.h"
#include "model/autoencoder.h"
#include "policy/sample_settings.h"
#include "tests/testing/tiny_models.h"
#include "trajectory/codec.h"

// A run small enough for tests: its model, its settings, its prompts, and groups as workers sample them.
namespace lvrpo {

// As TinyConfig(), with control tokens after the words, and autoencoders that make 4 x 4 latents of an image.
inline BagelConfig TinyRunConfig() {
  BagelConfig config = TinyConfig();
  config.vocabulary = 24;
  config.autoencoder.ch_mult = {1, 2, 4, 4, 4};
  config.bos = 20, config.eos = 21, config.start_of_image = 22, config.end_of_image = 23;
  return config;
}

inline Bagel TinyModel() {
  const BagelConfig config = TinyRunConfig();
  TensorMap tensors = Bagel::RandomInit(config, 3);
  // A velocity that is not zero, so that there is something to learn.
  torch::manual_seed(5);
  tensors.at("llm2vae.weight") = torch::randn(tensors.at("llm2vae.weight").sizes()) * 0.1;
  return *Bagel::Create(config, tensors, "test");
}

// Its weights as bf16.
inline Bagel TinyModelInBf16() {
  TensorMap tensors = TinyModel().tensors();
  for (auto& [name, tensor] : tensors) tensor = tensor.to(torch::kBFloat16);
  return *Bagel::Create(TinyRunConfig(), std::move(tensors), "test");
}

inline v1::RunConfig TinyRun() {
  v1::RunConfig config = DefaultRunConfig();
  config.mutable_rollout()->set_group_size(4);
  config.mutable_rollout()->set_timesteps(6);
  config.mutable_rollout()->set_window_size(2);
  config.mutable_rollout()->set_window_hi(4);
  config.mutable_data()->add_image_prompts("images");
  config.mutable_data()->add_text_prompts("texts");
  config.mutable_data()->set_text_fraction(0.5);
  config.mutable_train()->mutable_image()->set_learning_rate(1e-3);
  config.mutable_train()->mutable_image()->set_warmup_steps(0);
  config.mutable_train()->mutable_text()->set_learning_rate(1e-3);
  config.mutable_train()->mutable_text()->set_warmup_steps(0);
  return config;
}

inline TrajectoryRules TinyRules(const v1::RunConfig& config) { return {config, TinyRunConfig()}; }

// A prompt of three tokens that asks for images of the grid: 4 x 4 latents, 64 x 64 pixels, or fewer.
inline PromptSource::Prompt ImagePrompt(LatentGrid grid = {.height = 4, .width = 4}) {
  PromptSource::Prompt prompt;
  prompt.record.set_id("image");
  prompt.record.set_task(v1::TASK_KIND_IMAGE);
  prompt.record.set_text("a red circle");
  prompt.ids = {1, 2, 3};
  prompt.grid = grid;
  return prompt;
}

// A question about a grey image.
inline PromptSource::Prompt TextPrompt() {
  PromptSource::Prompt prompt;
  prompt.record.set_id("text");
  prompt.record.set_task(v1::TASK_KIND_TEXT);
  prompt.record.set_text("what is this ?");
  prompt.ids = {5, 6};
  prompt.source_image = {.width = 16, .height = 16, .pixels = std::vector<uint8_t>(16 * 16 * 3, 0x80)};
  return prompt;
}

// A group sampled from `model` as a worker does it, with the window of weights after `steps` steps.
inline SampledGroup SampleImageGroup(const Bagel& model, const v1::RunConfig& config, int64_t ordinal,
                                     const PromptSource::Prompt& prompt = ImagePrompt(), int64_t steps = 0) {
  torch::NoGradGuard no_grad;
  const v1::RolloutConfig& rollout = config.rollout();
  const auto group = static_cast<uint32_t>(ordinal);
  const ImageSampleOptions options = SampleOptions(rollout, GroupWindow(config, ordinal, steps));
  const ImageSamples samples = SampleImages(
      BagelVelocity(model, model.PrefillPrompt(prompt.ids), prompt.grid, {.text_scale = rollout.cfg_scale()}),
      rollout.group_size(), prompt.grid.tokens(), model.config().token_dim(), config.seed(), group, options);
  return {.ordinal = ordinal,
          .version = {},
          .prompt_ids = prompt.ids,
          .samples = ImageGroup{.options = options,
                                .grid = prompt.grid,
                                .latents = samples.window_latents,
                                .log_probs = samples.log_probs}};
}

inline SampledGroup SampleTextGroup(const Bagel& model, const v1::RunConfig& config, int64_t ordinal,
                                    const PromptSource::Prompt& prompt = TextPrompt()) {
  torch::NoGradGuard no_grad;
  const KvCache context = model.PrefillQuestion(FromRgbImages({prompt.source_image}), prompt.ids);
  TextSamples samples = *GenerateText(
      model,
      {.context = context,
       .start = model.config().bos,
       .samples = config.rollout().group_size(),
       .group = static_cast<uint32_t>(ordinal),
       .options = {.max_tokens = 3, .temperature = config.rollout().temperature(), .eos = model.config().eos},
       .stop = {}},
      config.seed());
  return {.ordinal = ordinal,
          .version = {},
          .prompt_ids = prompt.ids,
          .samples = TextGroup{.image = prompt.source_image,
                               .ids = std::move(samples.ids),
                               .log_probs = std::move(samples.log_probs)}};
}

}  // namespace lvrpo
