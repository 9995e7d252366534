#pragma once

#include <cstdint>
#include <vector>

#include "model/bagel.h"

namespace lvrpo {

// Latents of many prompts in one batch by the deterministic (Euler) sampler, as evaluation uses it.
// `prompts`: token ids of each (without bos and eos). `noise` [B, N, D] at t = 1. `timesteps`: from 1 to 0,
// one model call between each two. `cfg_scale` 1 = no guidance. Returns [B, N, D]. No gradient.
torch::Tensor SampleOde(const Bagel& model, const std::vector<std::vector<int32_t>>& prompts,
                        const torch::Tensor& noise, const std::vector<float>& timesteps, int64_t grid_h,
                        int64_t grid_w, double cfg_scale);

}  // namespace lvrpo
