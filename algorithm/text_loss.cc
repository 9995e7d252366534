#include "algorithm/text_loss.h"

#include <algorithm>
#include <limits>

namespace lvrpo {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

torch::Tensor ClampBoth(const torch::Tensor& values, const std::optional<double>& limit) {
  return limit.has_value() ? values.clamp(-*limit, *limit) : values;
}

torch::Tensor Masked(const torch::Tensor& values, const torch::Tensor& inactive) {
  return values.to(torch::kFloat64).masked_fill(inactive, 0);
}

torch::Tensor KlPerToken(const torch::Tensor& d, const TextLossOptions& options) {
  const torch::Tensor clamped = ClampBoth(d, options.kl_log_clamp);
  torch::Tensor kl;
  switch (options.kl) {
    case TextKlForm::kNone:
      break;
    case TextKlForm::kK1:
      kl = -clamped;
      break;
    case TextKlForm::kK2:
      kl = clamped.square() / 2;
      break;
    case TextKlForm::kK3:
      kl = clamped.exp() - clamped - 1;
      break;
  }
  return ClampBoth(kl, options.kl_clamp);
}

torch::Tensor Aggregate(const torch::Tensor& losses, const torch::Tensor& active,
                        const TextLossOptions& options) {
  const double sequences = options.global_sequences.value_or(static_cast<double>(losses.size(0)));
  const torch::Tensor lengths = active.sum(1).clamp_min(1);  // [B]
  switch (options.aggregation) {
    case Aggregation::kTokenMean: {
      const double tokens =
          options.global_tokens.has_value() ? *options.global_tokens : active.sum().item<double>();
      return losses.sum() / std::max(tokens, 1.0);
    }
    case Aggregation::kSeqMeanTokenMean:
      return (losses.sum(1) / lengths).sum() / sequences;
    case Aggregation::kSeqMeanTokenSum:
      return losses.sum() / sequences;
    case Aggregation::kSeqMeanTokenSumNorm:
      return losses.sum() / (sequences * options.max_length.value_or(static_cast<double>(losses.size(1))));
  }
  return {};
}

}  // namespace

TextLossTerms TextLoss(const TextLossInput& input, const TextLossOptions& options) {
  const torch::Tensor inactive = input.mask.detach().eq(0);  // [B, T]
  const torch::Tensor active = inactive.logical_not().to(torch::kFloat64);
  // Masked values are zeroed before anything is computed from them: NaN times 0 would be NaN.
  const torch::Tensor log_probs = Masked(input.log_probs, inactive);
  const torch::Tensor old = Masked(input.old_log_probs.detach(), inactive);
  const torch::Tensor advantages = input.advantages.detach().to(torch::kFloat64).unsqueeze(1);  // [B, 1]

  torch::Tensor log_ratio = log_probs - old;
  if (options.level == RatioLevel::kSequence) {
    log_ratio = (log_ratio.sum(1, true) / active.sum(1, true).clamp_min(1)).expand_as(active);
  }
  log_ratio = ClampBoth(log_ratio, options.log_ratio_clamp);
  if (options.log_ratio_max.has_value()) log_ratio = log_ratio.clamp_max(*options.log_ratio_max);
  const torch::Tensor ratio = log_ratio.exp();

  const torch::Tensor unclipped = options.delta.has_value() ? ratio.clamp_max(*options.delta) : ratio;
  torch::Tensor losses = -torch::minimum(unclipped * advantages,
                                         ratio.clamp(1 - options.eps_low, 1 + options.eps_high) * advantages);
  if (options.dual_clip.has_value()) {
    losses = torch::where(advantages.lt(0), torch::minimum(losses, -advantages * *options.dual_clip), losses);
  }
  if (input.is_weights.defined()) {
    losses = losses * Masked(input.is_weights.detach().expand_as(active), inactive);
  }

  TextLossTerms terms;
  if (options.kl != TextKlForm::kNone) {
    const torch::Tensor kl = KlPerToken(Masked(input.ref_log_probs.detach(), inactive) - log_probs, options);
    losses = losses + options.beta * kl;
    terms.kl = kl.detach().masked_fill(inactive, 0);
  }
  losses = losses.masked_fill(inactive, 0);
  terms.loss = Aggregate(losses, active, options);
  terms.ratio = ratio.detach().masked_fill(inactive, 0);
  terms.per_token_loss = losses.detach();
  const double tokens = std::max(active.sum().item<double>(), 1.0);
  const torch::Tensor low = terms.ratio.lt(1 - options.eps_low) & advantages.lt(0) & inactive.logical_not();
  const torch::Tensor high = terms.ratio.gt(1 + options.eps_high) & advantages.gt(0) & inactive.logical_not();
  terms.clip_low_fraction = static_cast<double>(low.sum().item<int64_t>()) / tokens;
  terms.clip_high_fraction = static_cast<double>(high.sum().item<int64_t>()) / tokens;
  return terms;
}

torch::Tensor CorrectionWeights(const torch::Tensor& old_log_probs, const torch::Tensor& sampler_log_probs,
                                const torch::Tensor& mask, const CorrectionOptions& options) {
  const torch::Tensor old = old_log_probs.detach().to(torch::kFloat64);
  const torch::Tensor sampler = sampler_log_probs.detach().to(torch::kFloat64);
  torch::Tensor difference = (old - sampler).masked_fill(mask.eq(0) | sampler.isnan(), 0);
  if (options.mode == CorrectionMode::kNone) return torch::ones_like(difference);
  const bool sequence =
      options.mode == CorrectionMode::kSequenceTruncate || options.mode == CorrectionMode::kSequenceMask;
  if (sequence) difference = difference.sum(1, true);
  const torch::Tensor weights = difference.clamp(-20, 20).exp();
  const double low = options.clip_min.value_or(-kInfinity), high = options.clip_max.value_or(kInfinity);
  if (options.mode == CorrectionMode::kTokenTruncate || options.mode == CorrectionMode::kSequenceTruncate) {
    return weights.clamp(low, high);
  }
  return weights.masked_fill(weights.lt(low) | weights.gt(high), 0);
}

}  // namespace lvrpo
