#pragma once

#include <vector>

#include "data/image/image.h"
#include "model/siglip.h"
#include "model/weights/weights.h"

namespace lvrpo {

// REPA as the paper has it (equation 4): MSE(h(f), g). f: hidden states of the policy's latent tokens
// [B, N, H]; g: what a frozen encoder sees in the same places of the clean image [B, N, D]; h: a two-layer
// MLP with SiLU, trained along.

// g for images of one size: the referee's tokens after its last norm, pooled by averaging onto a grid of
// grid_h x grid_w latent tokens, [B, grid_h * grid_w, D]. Without gradients.
torch::Tensor AlignmentTargets(const Siglip& referee, const std::vector<RgbImage>& images, int64_t grid_h,
                               int64_t grid_w);

// Fresh weights of h from width H to D, under names that begin with "representation_alignment.".
TensorMap InitAlignmentHead(int64_t from, int64_t to, uint64_t seed);

// MSE(h(hidden), targets), a scalar. `tensors` holds h.
torch::Tensor AlignmentLoss(const TensorMap& tensors, const torch::Tensor& hidden,
                            const torch::Tensor& targets);

}  // namespace lvrpo
