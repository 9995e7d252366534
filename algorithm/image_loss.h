#pragma once

#include <optional>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "algorithm/sde.h"
#include "torch/torch.h"

// The surrogate loss of one SDE step of images (paper, equation 2, with the step as the action).
namespace lvrpo {

enum class ImageLossForm {
  kPpo,        // clipped surrogate + beta KL (zhtmike/flow_grpo:scripts/train_bagel.py)
  kGrpoGuard,  // centred, step-normalised ratio (flow_grpo:scripts/train_sd3_GRPO_Guard.py): gradients of
               // early and late steps have the same scale, where kPpo's are proportional to 1 / std
  kFlowDppo  // divergence instead of a ratio clip (verl-omni:verl_omni/trainer/diffusion/diffusion_algos.py)
};
enum class ImageKlForm {
  kVelocityMse,  // mean (v - v_ref)^2: all t weigh alike
  kExact,        // mean (mean - mean_ref)^2 / 2 std^2: the Gaussian KL of the step
  kFlowGrpo      // as kExact with std^2 / -dt in place of std^2: what flow_grpo computes
};
enum class GuardBias { kPerSample, kBatch };

absl::StatusOr<ImageLossForm> ParseImageLossForm(absl::string_view name);  // "ppo", "grpo_guard", "flow_dppo"
absl::StatusOr<ImageKlForm> ParseImageKlForm(absl::string_view name);  // "velocity_mse", "exact", "flow_grpo"
absl::StatusOr<GuardBias> ParseGuardBias(absl::string_view name);      // "per_sample", "batch"

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
