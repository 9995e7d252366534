#pragma once

#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <string>

#include "common/config/config.h"
#include "generation/text_engine.h"
#include "gtest/gtest.h"
#include "learner/trainer.h"
#include "policy/sample_settings.h"

// A run small enough for tests: its model, its settings, and groups as workers sample them.
namespace lvrpo {

inline std::string TestFolder() {
  const auto folder = std::filesystem::temp_directory_path() /
                      ("lvrpo-learner-" + std::to_string(getpid()) + "-" +
                       ::testing::UnitTest::GetInstance()->current_test_info()->name());
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  return folder.string();
}

inline BagelConfig TinyConfig() {
  BagelConfig config;
  config.hidden = 32;
  config.mlp = 48;
  config.layers = 2;
  config.heads = 4;
  config.kv_heads = 2;
  config.vocabulary = 24;
  config.vit_hidden = 16;
  config.vit_mlp = 24;
  config.vit_layers = 1;
  config.vit_heads = 2;
  config.vit_patch = 8;
  config.vit_max_side = 4;
  config.latent_patch = 1;
  config.max_latent_side = 4;
  config.autoencoder.z_channels = 4;
  config.autoencoder.ch_mult = {1, 2, 4, 4, 4};  // 4 x 4 latents of an image
  config.bos = 20;
  config.eos = 21;
  config.start_of_image = 22;
  config.end_of_image = 23;
  return config;
}

inline Bagel TinyModel() {
  const BagelConfig config = TinyConfig();
  TensorMap tensors = Bagel::RandomInit(config, 3);
  // A velocity that is not zero, so that there is something to learn.
  torch::manual_seed(5);
  tensors.at("llm2vae.weight") = torch::randn(tensors.at("llm2vae.weight").sizes()) * 0.1;
  return *Bagel::Create(config, tensors, "test");
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

inline void SetReward(v1::Sample& sample, float reward) {
  sample.set_reward(reward);
  v1::ComponentScore& score = *sample.add_scores();
  score.set_name("instruction");
  score.set_outcome(v1::ComponentScore::OK);
  score.set_score(reward);
}

// A group sampled from `model` as a worker does it; sample i gets reward i odd.
inline v1::TrajectoryGroup ImageGroup(const Bagel& model, const v1::RunConfig& config, int64_t ordinal) {
  torch::NoGradGuard no_grad;
  const v1::RolloutConfig& rollout = config.rollout();
  v1::TrajectoryGroup group;
  group.set_ordinal(ordinal);
  group.mutable_prompt()->set_task(v1::TASK_KIND_IMAGE);
  for (const int id : {1, 2, 3}) group.add_prompt_ids(id);
  const ImageSampleOptions options =
      SampleOptions(rollout, DrawWindow(config.seed(), static_cast<uint32_t>(ordinal), rollout.window_size(),
                                        rollout.window_lo(), rollout.window_hi()));
  const ImageSamples samples =
      SampleImages(BagelVelocity(model, model.PrefillPrompt({1, 2, 3}), 4, 4), rollout.group_size(), 16,
                   model.config().token_dim(), 1, static_cast<uint32_t>(ordinal), options);
  v1::ImageSettings& settings = *group.mutable_image();
  *settings.mutable_timesteps() = {options.timesteps.begin(), options.timesteps.end()};
  settings.set_window_begin(options.window.begin);
  settings.set_window_size(rollout.window_size());
  settings.set_kernel(rollout.kernel());
  settings.set_noise_level(rollout.noise_level());
  settings.set_tokens(16);
  settings.set_token_dim(static_cast<int32_t>(model.config().token_dim()));
  settings.set_grid_height(4);
  settings.set_grid_width(4);
  for (int slot = 0; slot < rollout.group_size(); ++slot) {
    v1::Sample& sample = *group.add_samples();
    sample.set_slot(slot);
    const torch::Tensor latents = samples.window_latents[slot].contiguous();
    sample.set_latents(latents.data_ptr(), static_cast<size_t>(latents.numel()) * 4);
    for (int k = 0; k < rollout.window_size(); ++k)
      sample.add_log_probs(samples.log_probs[slot][k].item<double>());
    SetReward(sample, static_cast<float>(slot % 2));
  }
  return group;
}

// Answers to a question about a grey image; answers that begin with token 4 are right.
inline v1::TrajectoryGroup TextGroup(const Bagel& model, const v1::RunConfig& config, int64_t ordinal) {
  torch::NoGradGuard no_grad;
  v1::TrajectoryGroup group;
  group.set_ordinal(ordinal);
  group.mutable_prompt()->set_task(v1::TASK_KIND_TEXT);
  for (const int id : {5, 6}) group.add_prompt_ids(id);
  group.set_image_width(16);
  group.set_image_height(16);
  group.set_image_rgb(std::string(16 * 16 * 3, '\x80'));
  const KvCache context = model.PrefillQuestion(torch::full({1, 3, 16, 16}, 0x80 / 127.5 - 1), {5, 6});
  const TextSamples samples = *GenerateText(model,
                                            {.context = context,
                                             .start = model.config().bos,
                                             .samples = config.rollout().group_size(),
                                             .group = static_cast<uint32_t>(ordinal),
                                             .options = {.max_tokens = 3, .eos = model.config().eos},
                                             .stop = {}},
                                            1);
  for (size_t slot = 0; slot < samples.ids.size(); ++slot) {
    v1::Sample& sample = *group.add_samples();
    sample.set_slot(static_cast<int32_t>(slot));
    *sample.mutable_response_ids() = {samples.ids[slot].begin(), samples.ids[slot].end()};
    *sample.mutable_log_probs() = {samples.log_probs[slot].begin(), samples.log_probs[slot].end()};
    SetReward(sample, static_cast<float>(slot % 2));
  }
  return group;
}

}  // namespace lvrpo
