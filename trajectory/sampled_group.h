#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include "algorithm/image_sampler.h"
#include "data/image/image.h"
#include "model/latent_grid.h"
#include "proto/lvrpo/v1/common.pb.h"
#include "torch/torch.h"

// A group's samples as values: what a worker has sampled, and what the learner evaluates again.
namespace lvrpo {

// G images of one prompt.
struct ImageGroup {
  ImageSampleOptions options;  // the schedule, and the group's window of k SDE steps
  LatentGrid grid;             // N tokens of D numbers
  torch::Tensor latents;       // fp32 [G, k + 1, N, D]: before each window step and after the last
  torch::Tensor log_probs;     // float64 [G, k], the sampler's
};

// G answers to a question about an image.
struct TextGroup {
  RgbImage image;                             // the source image, as the policy saw it
  std::vector<std::vector<int32_t>> ids;      // G responses of 1 or more tokens
  std::vector<std::vector<float>> log_probs;  // one a token, the sampler's
};

struct SampledGroup {
  int64_t ordinal = 0;
  int32_t attempt = 0;
  v1::PolicyVersion version;        // the weights that sampled it
  std::vector<int32_t> prompt_ids;  // of the prompt's text
  std::variant<ImageGroup, TextGroup> samples;
};

}  // namespace lvrpo
