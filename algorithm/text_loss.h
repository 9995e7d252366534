#pragma once

#include <optional>

#include "common/config/choices.h"
#include "torch/torch.h"

// The surrogate loss of text (paper, equation 2, with the token as the action), and the correction for
// samples drawn by older weights or another implementation. Always computed in double: B x T elements cost
// nothing.
namespace lvrpo {

struct TextLossOptions {
  RatioLevel level = RatioLevel::kToken;
  double eps_low = 0.2, eps_high = 0.28;
  std::optional<double> dual_clip = 3.0;       // c: where A < 0 the loss is at most -A c
  std::optional<double> delta = std::nullopt;  // the unclipped ratio is cut to at most this
  TextKlForm kl = TextKlForm::kNone;
  double beta = 0;
  Aggregation aggregation = Aggregation::kTokenMean;
  // The gradient is zero outside of a clamp.
  std::optional<double> log_ratio_clamp = 20.0;        // +-
  std::optional<double> log_ratio_max = std::nullopt;  // from above
  std::optional<double> kl_log_clamp = 20.0;           // +- on d
  std::optional<double> kl_clamp = 10.0;               // +- on the KL value
  // Counts over the whole optimizer batch, so that micro-batches and ranks add up to the global mean; unset:
  // this call's own.
  std::optional<double> global_tokens = std::nullopt;
  std::optional<double> global_sequences = std::nullopt;
  std::optional<double> max_length = std::nullopt;  // kSeqMeanTokenSumNorm; unset: T
};

// Values where the mask is 0 may be anything, NaN too.
struct TextLossInput {
  torch::Tensor log_probs = {};      // [B, T], with gradient
  torch::Tensor old_log_probs = {};  // [B, T]
  torch::Tensor mask = {};           // [B, T], 1 = token of the response
  torch::Tensor advantages = {};     // [B]
  torch::Tensor ref_log_probs = {};  // [B, T]; with a KL form
  torch::Tensor is_weights = {};     // [B, T] or [B, 1]; may be undefined. Multiplies the policy term only
};

// All per-token values are 0 where the mask is.
struct TextLossTerms {
  torch::Tensor loss;            // scalar float64 with gradient
  torch::Tensor ratio;           // [B, T]
  torch::Tensor per_token_loss;  // [B, T]
  torch::Tensor kl;              // [B, T], before beta; undefined without a KL form
  // Fractions of the active tokens that are clipped: ratio below 1 - eps_low and A < 0; above 1 + eps_high
  // and A > 0.
  double clip_low_fraction = 0, clip_high_fraction = 0;
};

TextLossTerms TextLoss(const TextLossInput& input, const TextLossOptions& options);

struct CorrectionOptions {
  CorrectionMode mode = CorrectionMode::kTokenTruncate;
  std::optional<double> clip_min = std::nullopt;
  std::optional<double> clip_max = 2.0;
};

// exp(clamp(old - sampler, +-20)) per token, or per sequence with the sum over its tokens; `truncate` clamps
// the weight, `mask` sets it to 0 outside [clip_min, clip_max]; kNone gives ones. A NaN of the sampler counts
// as no difference.
// -> [B, T] or [B, 1], float64 without gradient.
torch::Tensor CorrectionWeights(const torch::Tensor& old_log_probs, const torch::Tensor& sampler_log_probs,
                                const torch::Tensor& mask, const CorrectionOptions& options);

}  // namespace lvrpo
