#pragma once

#include <optional>

#include "algorithm/sde.h"
#include "torch/torch.h"

// The surrogate loss of one SDE step of images (paper, equation 2, with the step as the action).
namespace lvrpo {

// What kGrpoGuard takes off the log ratio: its mean over a sample's elements, or over the batch too.
enum class GuardBias { kPerSample, kBatch };
inline constexpr Choice<GuardBias> kGuardBiases[] = {{"per_sample", GuardBias::kPerSample},
                                                     {"batch", GuardBias::kBatch}};

struct ImageLossOptions {
  ImageLossForm form = ImageLossForm::kPpo;
  double clip_low = 1e-5,
         clip_high = 1e-5;  // ratio range 1 - low .. 1 + high; the log-prob is a mean, so tiny
  std::optional<double> advantage_clamp = 5.0;  // +-; not used by kFlowDppo
  double kl_beta = 0;                           // not used by kFlowDppo; 0 = no KL term
  ImageKlForm kl_form = ImageKlForm::kVelocityMse;
  GuardBias guard_bias = GuardBias::kPerSample;
  double dppo_threshold = 0;  // kFlowDppo: a term this far from old, and moving away, is dropped
};

// One step of B samples. Only `velocity` and `mean` carry gradients; mean = SdeMean(step, x, velocity).
struct ImageLossInput {
  SdeStep step;
  torch::Tensor x_next = {};        // [B, N, D]
  torch::Tensor velocity = {};      // [B, N, D]
  torch::Tensor mean = {};          // [B, N, D]
  torch::Tensor log_prob_old = {};  // [B], from SdeLogProb with the same constants
  torch::Tensor advantages = {};    // [B]
  torch::Tensor mean_old = {};      // [B, N, D]; kGrpoGuard and kFlowDppo
  torch::Tensor velocity_ref = {};  // [B, N, D]; kl_beta > 0 with kVelocityMse
  torch::Tensor mean_ref = {};      // [B, N, D]; kl_beta > 0 with the other KL forms
  // Number of (sample, step) terms of the whole optimizer batch. The loss is the sum of this call's terms
  // divided by it, so that micro-batches and ranks add up to the global mean. Unset: B.
  std::optional<double> global_terms = std::nullopt;
};

struct ImageLossTerms {
  torch::Tensor loss;           // scalar float64 with gradient: policy_loss + beta kl
  torch::Tensor policy_loss;    // scalar
  torch::Tensor kl;             // scalar, before beta; undefined without a KL term
  torch::Tensor log_prob;       // [B]
  torch::Tensor ratio_minus_1;  // [B], by expm1: exact near 0
  torch::Tensor kl_new_old;     // [B], kFlowDppo
  // Fractions of the B terms whose ratio is outside the range on each side (any sign of the advantage).
  double clip_low_fraction = 0, clip_high_fraction = 0;
};

ImageLossTerms ImageLoss(const ImageLossInput& input, const ImageLossOptions& options);

}  // namespace lvrpo
