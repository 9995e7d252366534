#include "algorithm/image_loss.h"

namespace lvrpo {
namespace {

torch::Tensor MeanSquaredDifference(const torch::Tensor& a, const torch::Tensor& b) {  // [B, ...] -> [B]
  return MeanPerSample((a.to(torch::kFloat64) - b.detach().to(torch::kFloat64)).square());
}

torch::Tensor KlToReference(const ImageLossInput& input, ImageKlForm form) {  // [B]
  const double variance = input.step.std * input.step.std;
  switch (form) {
    case ImageKlForm::kVelocityMse:
      return MeanSquaredDifference(input.velocity, input.velocity_ref);
    case ImageKlForm::kExact:
      return MeanSquaredDifference(input.mean, input.mean_ref) / (2 * variance);
    case ImageKlForm::kFlowGrpo:
      return MeanSquaredDifference(input.mean, input.mean_ref) / (2 * variance / -input.step.dt());
  }
  return {};
}

// [B]: max(-A w, -A clip(w)).
torch::Tensor ClippedSurrogate(const torch::Tensor& ratio, const torch::Tensor& advantages,
                               const ImageLossOptions& options) {
  return torch::maximum(-advantages * ratio,
                        -advantages * ratio.clamp(1 - options.clip_low, 1 + options.clip_high));
}

}  // namespace

ImageLossTerms ImageLoss(const ImageLossInput& input, const ImageLossOptions& options) {
  ImageLossTerms terms;
  terms.log_prob = SdeLogProb(input.step, input.x_next, input.mean);
  torch::Tensor log_ratio = terms.log_prob - input.log_prob_old.detach().to(torch::kFloat64);
  torch::Tensor advantages = input.advantages.detach().to(torch::kFloat64);
  if (options.advantage_clamp.has_value() && options.form != ImageLossForm::kFlowDppo) {
    advantages = advantages.clamp(-*options.advantage_clamp, *options.advantage_clamp);
  }
  const double variance = input.step.std * input.step.std;
  const double terms_in_all =
      input.global_terms.has_value() ? *input.global_terms : static_cast<double>(advantages.size(0));

  torch::Tensor losses;  // [B]
  if (options.form == ImageLossForm::kGrpoGuard) {
    torch::Tensor bias = MeanSquaredDifference(input.mean, input.mean_old) / (2 * variance);
    if (options.guard_bias == GuardBias::kBatch) bias = bias.mean();
    log_ratio = (log_ratio + bias) * input.step.std;
    losses = ClippedSurrogate(log_ratio.exp(), advantages, options) / -input.step.dt();
  } else if (options.form == ImageLossForm::kFlowDppo) {
    const torch::Tensor ratio = log_ratio.exp();
    const torch::Tensor kl = MeanSquaredDifference(input.mean, input.mean_old) / (2 * variance);
    const torch::Tensor moves_away = (ratio.gt(1) & advantages.gt(0)) | (ratio.lt(1) & advantages.lt(0));
    const torch::Tensor dropped = (kl.ge(options.dppo_threshold) & moves_away).detach();
    losses = (-advantages * ratio).masked_fill(dropped, 0);
    terms.kl_new_old = kl.detach();
  } else {
    losses = ClippedSurrogate(log_ratio.exp(), advantages, options);
  }
  terms.policy_loss = losses.sum() / terms_in_all;
  terms.loss = terms.policy_loss;
  if (options.form != ImageLossForm::kFlowDppo && options.kl_beta != 0) {
    terms.kl = KlToReference(input, options.kl_form).sum() / terms_in_all;
    terms.loss = terms.policy_loss + options.kl_beta * terms.kl;
  }
  terms.ratio_minus_1 = log_ratio.detach().expm1();
  terms.clip_low_fraction =
      terms.ratio_minus_1.lt(-options.clip_low).to(torch::kFloat64).mean().item<double>();
  terms.clip_high_fraction =
      terms.ratio_minus_1.gt(options.clip_high).to(torch::kFloat64).mean().item<double>();
  return terms;
}

}  // namespace lvrpo
