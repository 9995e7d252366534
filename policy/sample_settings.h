#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "algorithm/image_sampler.h"
#include "model/bagel_config.h"
#include "model/latent_grid.h"
#include "proto/lvrpo/v1/config.pb.h"
#include "proto/lvrpo/v1/prompt.pb.h"

namespace lvrpo {

// Whether the model can generate images of rollout.image_size. InvalidArgument, in one sentence, when not.
absl::Status CheckImageSize(const v1::RolloutConfig& rollout, const BagelConfig& model);

// The latent grid of a record's image (ImageSizeOf). InvalidArgument names the prompt when the model cannot
// generate that size.
absl::StatusOr<LatentGrid> ImageGrid(const v1::PromptRecord& record, const v1::RolloutConfig& rollout,
                                     const BagelConfig& model);

// Tokens of one context of a group: the prompt's `tokens` and their marker tokens with an image's latents,
// or with a source image of width x height pixels and the longest answer. At most the model's max_positions.
int64_t ImageContextTokens(int64_t tokens, const LatentGrid& grid);
int64_t TextContextTokens(int64_t tokens, int64_t width, int64_t height, const v1::RolloutConfig& rollout,
                          const BagelConfig& model);

// The window of the image group of this ordinal, sampled by the weights after `steps` optimizer steps, in a
// checked configuration. absl::BadStatusOrAccess for an unknown draw.
Window GroupWindow(const v1::RunConfig& config, int64_t ordinal, int64_t steps);

// Image sampling settings of a checked configuration; `window` differs per group.
// absl::BadStatusOrAccess for an unknown kernel.
ImageSampleOptions SampleOptions(const v1::RolloutConfig& rollout, const Window& window);

}  // namespace lvrpo
