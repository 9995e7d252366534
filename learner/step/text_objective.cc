#include "learner/step/text_objective.h"

#include <algorithm>

#include "model/autoencoder.h"

namespace lvrpo {

TextObjective::TextObjective(const TextGroup& group, const std::vector<int32_t>& prompt_ids,
                             const Policies& models, const ObjectiveSettings& settings, bool current)
    : models_(models),
      settings_(settings),
      current_(current),
      prompt_ids_(prompt_ids),
      pixels_(FromRgbImages({group.image})) {
  size_t longest = 0;
  for (const std::vector<int32_t>& ids : group.ids) longest = std::max(longest, ids.size());
  const auto count = static_cast<int64_t>(group.ids.size()), width = static_cast<int64_t>(longest);
  responses_ = torch::full({count, width}, models_.policy.config().eos, torch::kInt64);
  mask_ = torch::zeros({count, width}, torch::kFloat64);
  log_probs_ = torch::zeros({count, width}, torch::kFloat64);
  for (size_t i = 0; i < group.ids.size(); ++i) {
    const size_t at = i * longest;
    std::copy(group.ids[i].begin(), group.ids[i].end(), responses_.data_ptr<int64_t>() + at);
    std::copy(group.log_probs[i].begin(), group.log_probs[i].end(), log_probs_.data_ptr<double>() + at);
    std::fill_n(mask_.data_ptr<double>() + at, group.ids[i].size(), 1.0);
  }
  for (torch::Tensor* filled : {&responses_, &mask_, &log_probs_})
    *filled = filled->to(models_.policy.device());
  if (settings_.text.beta > 0) {
    torch::NoGradGuard no_grad;
    reference_ = LogProbs(models_.reference);
  }
}

double TextObjective::terms() const {
  const bool of_tokens = settings_.text.aggregation == Aggregation::kTokenMean;
  return of_tokens ? mask_.sum().item<double>() : static_cast<double>(mask_.size(0));
}

torch::Tensor TextObjective::LogProbs(const Bagel& model) const {
  return model.ResponseLogProbs(model.PrefillQuestion(pixels_, prompt_ids_), responses_,
                                settings_.temperature);
}

void TextObjective::KeepOld(const torch::Tensor& log_probs, StepSums& sums) {
  old_ = log_probs.detach().clone();
  const double difference = ((old_ - log_probs_) * mask_).abs().max().item<double>();
  sums.sampler_difference.Add(difference);
  const torch::Tensor weights = (old_ - log_probs_).exp() * mask_;
  const double tokens = mask_.sum().item<double>();
  sums.text_weight.Add(weights.sum().item<double>() / tokens, tokens);
  sums.squared_text_weight.Add(weights.square().sum().item<double>() / tokens, tokens);
  if (current_) sums.text_difference_now = std::max(sums.text_difference_now, difference);
}

void TextObjective::KeepOld(StepSums& sums) {
  const torch::NoGradGuard no_grad;
  KeepOld(LogProbs(models_.policy).to(torch::kFloat64), sums);
}

void TextObjective::Backward(const torch::Tensor& advantages, bool first, double step_terms, StepSums& sums) {
  const torch::Tensor log_probs = LogProbs(models_.policy).to(torch::kFloat64);
  if (first) KeepOld(log_probs, sums);
  TextLossInput input;
  input.log_probs = log_probs;
  input.old_log_probs = old_;
  input.mask = mask_;
  input.advantages = advantages.to(mask_.device());
  if (reference_.defined()) input.ref_log_probs = reference_;
  const bool corrected = settings_.correction.mode != CorrectionMode::kNone;
  if (corrected && (!current_ || settings_.correct_current))
    input.is_weights = CorrectionWeights(old_, log_probs_, mask_, settings_.correction);
  TextLossOptions options = settings_.text;
  options.global_tokens = options.global_sequences = step_terms;  // of which it needs one
  const TextLossTerms terms = TextLoss(input, options);
  terms.loss.backward();
  AddTextTerms(terms, mask_, this->terms(), step_terms, first, sums);
}

}  // namespace lvrpo
