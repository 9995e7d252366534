#include "learner/step/step_figures.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "learner/step/health.h"
#include "spdlog/spdlog.h"

namespace lvrpo {

void AddImageTerms(const ImageLossTerms& terms, int64_t count, int index, double step_terms, bool first,
                   StepSums& sums) {
  const auto images = static_cast<double>(count);
  sums.image_loss.Add(terms.loss.item<double>() * step_terms / images);
  if (terms.kl.defined()) sums.image_kl.Add(terms.kl.item<double>() * step_terms / images);
  sums.image_clip_low.Add(terms.clip_low_fraction);
  sums.image_clip_high.Add(terms.clip_high_fraction);
  const auto place = static_cast<size_t>(index);
  if (place >= sums.clip_by_step.size()) sums.clip_by_step.resize(place + 1);
  sums.clip_by_step[place].Add(terms.clip_low_fraction + terms.clip_high_fraction);
  double& deviation = first ? sums.ratio_deviation : sums.ratio_deviation_late;
  deviation = std::max(deviation, terms.ratio_minus_1.abs().max().item<double>());
}

void AddTextTerms(const TextLossTerms& terms, const torch::Tensor& mask, double own_terms, double step_terms,
                  bool first, StepSums& sums) {
  const double tokens = mask.sum().item<double>();
  sums.text_loss.Add(terms.loss.item<double>() * step_terms / own_terms, own_terms);
  if (terms.kl.defined()) sums.text_kl.Add(terms.kl.sum().item<double>() / tokens, tokens);
  sums.text_clip_low.Add(terms.clip_low_fraction, tokens);
  sums.text_clip_high.Add(terms.clip_high_fraction, tokens);
  sums.response_tokens.Add(tokens / static_cast<double>(mask.size(0)));
  double& deviation = first ? sums.ratio_deviation : sums.ratio_deviation_late;
  deviation = std::max(deviation, ((terms.ratio - 1) * mask).abs().max().item<double>());
}

void AddUniqueNoise(StepSums& sums) {
  const RepeatedNoise found = FindRepeatedNoise(sums.noise);
  sums.noise.clear();
  const auto samples = static_cast<double>(found.samples);
  if (found.samples > 0) sums.unique_noise.Add(1 - static_cast<double>(found.repeated) / samples, samples);
  if (!found.example.has_value()) return;
  const RepeatedNoise::Pair& pair = *found.example;
  spdlog::error(
      "{} of {} images were sampled with the noise of another one: slot {} of image group {} with that of "
      "slot {} of image group {}, in the order in which this rank computed them",
      found.repeated, found.samples, pair.slot, pair.group, pair.other_slot, pair.other_group);
}

absl::Status AddOverRanks(const StepRanks& ranks, StepSums& sums) {
  std::vector<Mean*> means = {&sums.image_loss,           &sums.image_kl,           &sums.image_clip_low,
                              &sums.image_clip_high,      &sums.text_loss,          &sums.text_kl,
                              &sums.text_clip_low,        &sums.text_clip_high,     &sums.image_weight,
                              &sums.squared_image_weight, &sums.text_weight,        &sums.squared_text_weight,
                              &sums.response_tokens,      &sums.sampler_difference, &sums.unique_noise};
  for (Mean& mean : sums.clip_by_step) means.push_back(&mean);
  std::vector<double> values;
  for (const Mean* mean : means) values.insert(values.end(), {mean->sum, mean->count});
  if (absl::Status status = ranks.Sum(values); !status.ok()) return status;
  size_t place = 0;
  for (Mean* mean : means) {
    mean->sum = values[place++];
    mean->count = values[place++];
  }
  double largest[] = {sums.ratio_deviation, sums.ratio_deviation_late, sums.sampler_difference_now,
                      sums.text_difference_now};
  if (absl::Status status = ranks.Max(largest); !status.ok()) return status;
  sums.ratio_deviation = largest[0];
  sums.ratio_deviation_late = largest[1];
  sums.sampler_difference_now = largest[2];
  sums.text_difference_now = largest[3];
  return absl::OkStatus();
}

absl::Status AddOverRanks(const StepRanks& ranks, const BagelConfig& model, ExpertLoad& load) {
  std::vector<double> counts = load.Counts(model.layers, model.router.experts);
  if (absl::Status status = ranks.Sum(counts); !status.ok()) return status;
  load.SetCounts(counts, model.layers, model.router.experts);
  return absl::OkStatus();
}

std::map<std::string, double> StepFigures(const StepSums& sums, bool images, bool texts) {
  std::map<std::string, double> figures;
  if (images) {
    figures["image_loss"] = sums.image_loss.value();
    figures["image_kl"] = sums.image_kl.value();
    figures["image_clip_low"] = sums.image_clip_low.value();
    figures["image_clip_high"] = sums.image_clip_high.value();
    for (size_t step = 0; step < sums.clip_by_step.size(); ++step) {
      if (sums.clip_by_step[step].count > 0)
        figures[absl::StrCat("image_clip_step_", step)] = sums.clip_by_step[step].value();
    }
    figures["image_effective_samples"] =
        EffectiveShare(sums.image_weight.value(), sums.squared_image_weight.value());
    if (sums.unique_noise.count > 0) figures["unique_noise"] = sums.unique_noise.value();
    figures["sampler_log_prob_difference_same_version"] = sums.sampler_difference_now;
  }
  if (texts) {
    figures["text_loss"] = sums.text_loss.value();
    figures["text_kl"] = sums.text_kl.value();
    figures["text_clip_low"] = sums.text_clip_low.value();
    figures["text_clip_high"] = sums.text_clip_high.value();
    figures["response_tokens"] = sums.response_tokens.value();
    figures["text_effective_samples"] =
        EffectiveShare(sums.text_weight.value(), sums.squared_text_weight.value());
    figures["text_log_prob_difference_same_version"] = sums.text_difference_now;
  }
  figures["ratio_deviation_first_update"] = sums.ratio_deviation;
  figures["sampler_log_prob_difference"] = sums.sampler_difference.value();
  figures["advantage_effective_samples"] =
      EffectiveShare(sums.advantage.value(), sums.squared_advantage.value());
  figures["reward_std_in_group"] = sums.reward_std.value();
  for (const auto& [name, mean] : sums.rewards) {
    figures[name == "reward" ? name : absl::StrCat("reward_", name)] = mean.value();
  }
  for (const auto& [name, mean] : sums.logged) figures[absl::StrCat("logged_", name)] = mean.value();
  return figures;
}

std::map<std::string, double> ExpertFigures(const ExpertLoad& load) {
  std::map<std::string, double> figures;
  for (const auto& [kind, name] :
       {std::pair{TokenKind::kUnderstanding, "understanding"}, {TokenKind::kLatent, "latent"}}) {
    figures[absl::StrCat("effective_experts_", name)] = load.EffectiveExperts(kind);
    figures[absl::StrCat("largest_expert_share_", name)] = load.LargestShare(kind);
  }
  return figures;
}

}  // namespace lvrpo
