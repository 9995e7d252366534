#pragma once

#include <optional>

#include "common/choice.h"
#include "torch/torch.h"

// The surrogate loss of text (paper, equation 2, with the token as the action), and the correction for
// samples drawn by older weights or another implementation. Always computed in double: B x T elements cost
// nothing.
namespace lvrpo {

enum class RatioLevel {
  kToken,
  kSequence  // GSPO: one ratio per sequence, exp(mean of the token log ratios)
};
inline constexpr Choice<RatioLevel> kRatioLevels[] = {{"token", RatioLevel::kToken},
                                                      {"sequence", RatioLevel::kSequence}};

// With d = log p_ref - log p: k1 = -d, k2 = d^2 / 2, k3 = e^d - d - 1
// (http://joschu.net/blog/kl-approx.html).
enum class TextKlForm { kNone, kK1, kK2, kK3 };
inline constexpr Choice<TextKlForm> kTextKlForms[] = {
    {"none", TextKlForm::kNone}, {"k1", TextKlForm::kK1}, {"k2", TextKlForm::kK2}, {"k3", TextKlForm::kK3}};

enum class Aggregation {
  kTokenMean,           // sum / active tokens
  kSeqMeanTokenMean,    // mean over sequences of the mean over their tokens
  kSeqMeanTokenSum,     // mean over sequences of the sum over their tokens
  kSeqMeanTokenSumNorm  // sum / (sequences * max_length)
};
inline constexpr Choice<Aggregation> kAggregations[] = {
    {"token_mean", Aggregation::kTokenMean},
    {"seq_mean_token_mean", Aggregation::kSeqMeanTokenMean},
    {"seq_mean_token_sum", Aggregation::kSeqMeanTokenSum},
    {"seq_mean_token_sum_norm", Aggregation::kSeqMeanTokenSumNorm}};

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

enum class CorrectionMode { kTokenTruncate, kTokenMask, kSequenceTruncate, kSequenceMask };
inline constexpr Choice<CorrectionMode> kCorrectionModes[] = {
    {"token_truncate", CorrectionMode::kTokenTruncate},
    {"token_mask", CorrectionMode::kTokenMask},
    {"sequence_truncate", CorrectionMode::kSequenceTruncate},
    {"sequence_mask", CorrectionMode::kSequenceMask}};

struct CorrectionOptions {
  CorrectionMode mode = CorrectionMode::kTokenTruncate;
  std::optional<double> clip_min = std::nullopt;
  std::optional<double> clip_max = 2.0;
};

// exp(clamp(old - sampler, +-20)) per token, or per sequence with the sum over its tokens; `truncate` clamps
// the weight, `mask` sets it to 0 outside [clip_min, clip_max]. A NaN of the sampler counts as no difference.
// -> [B, T] or [B, 1], float64 without gradient.
torch::Tensor CorrectionWeights(const torch::Tensor& old_log_probs, const torch::Tensor& sampler_log_probs,
                                const torch::Tensor& mask, const CorrectionOptions& options);

}  // namespace lvrpo
