#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "model/bagel.h"
#include "model/latent_grid.h"

namespace lvrpo {

// Samples of one context, computed once. GuidanceOptions (model/bagel.h) decides the guidance branches.
struct ImageRequest {
  KvCache full;
  KvCache text_free = {};
  std::optional<KvCache> image_free = {};  // none: the same as `full`, as in text-to-image
  int64_t samples = 1;                     // slots first_slot, first_slot + 1, ... of the group
  uint32_t group = 0;                      // with seed and slot: the key of the noise
  uint32_t first_slot = 0;
  torch::Tensor noise = {};  // [samples, N, D]: initial noise instead of the key's
};

struct ImageEngineOptions {
  LatentGrid grid = {};
  std::vector<float> timesteps = {};  // Timesteps(n, shift), algorithm/schedule.h
  GuidanceOptions guidance = {};
  uint64_t seed = 0;
  // Limit for activations: samples are denoised in as few batches as it allows, at least one sample each.
  int64_t activation_bytes = int64_t{4} << 30;
};

// Samples that fit a batch, at least 1: branches x tokens x ForwardBytesPerToken
// (model/folders/memory_plan.h) each.
int64_t ImageBatchSize(const BagelConfig& config, const ImageEngineOptions& options, torch::Dtype dtype);

// Latents by Euler ODE sampling, all requests in one batch as far as memory allows: [sum of samples, N, D],
// in the requests' order. Each denoising step is one forward for all samples and guidance branches, or on
// several CPU threads one for each thread's samples (Bagel::SamplesAreIndependent).
// `progress` gets (steps done, steps in all), counted over all batches. No gradients.
torch::Tensor GenerateLatents(const Bagel& model, std::span<const ImageRequest> requests,
                              const ImageEngineOptions& options,
                              const std::function<void(int64_t, int64_t)>& progress = {});

}  // namespace lvrpo
