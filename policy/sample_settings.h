#pragma once

#include "algorithm/image_sampler.h"
#include "model/bagel_config.h"
#include "proto/lvrpo/v1/config.pb.h"
#include "proto/lvrpo/v1/trajectory.pb.h"

namespace lvrpo {

// Side of the sampled images, in pixels: the training size of the embedded default.
inline constexpr int64_t kImageSide = 64;

// Latent tokens per side of such an image.
int64_t ImageGridSide(const BagelConfig& model);

// Tokens of one context of a group: the prompt's `tokens` and their marker tokens with an image's latents,
// or with a source image of width x height pixels and the longest answer. At most the model's max_positions.
int64_t ImageContextTokens(int64_t tokens, const BagelConfig& model);
int64_t TextContextTokens(int64_t tokens, int64_t width, int64_t height, const v1::RolloutConfig& rollout,
                          const BagelConfig& model);

// Image sampling settings of a checked configuration; `window` differs per group.
// absl::BadStatusOrAccess for an unknown kernel.
ImageSampleOptions SampleOptions(const v1::RolloutConfig& rollout, const Window& window);

// How a group was sampled, as far as evaluating it again needs to know. The same error: a learner compares a
// group's settings with the configuration's first.
ImageSampleOptions SampleOptions(const v1::ImageSettings& settings);

}  // namespace lvrpo
