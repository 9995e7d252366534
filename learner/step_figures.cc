#include "learner/step_figures.h"

#include "absl/strings/str_cat.h"

namespace lvrpo {

std::map<std::string, double> StepFigures(const StepSums& sums, bool images, bool texts) {
  std::map<std::string, double> figures;
  if (images) {
    figures["image_loss"] = sums.image_loss.value();
    figures["image_kl"] = sums.image_kl.value();
    figures["image_clip_low"] = sums.image_clip_low.value();
    figures["image_clip_high"] = sums.image_clip_high.value();
    figures["sampler_log_prob_difference_same_version"] = sums.sampler_difference_now;
  }
  if (texts) {
    figures["text_loss"] = sums.text_loss.value();
    figures["text_kl"] = sums.text_kl.value();
    figures["text_clip_low"] = sums.text_clip_low.value();
    figures["text_clip_high"] = sums.text_clip_high.value();
    figures["response_tokens"] = sums.response_tokens.value();
    figures["text_log_prob_difference_same_version"] = sums.text_difference_now;
  }
  figures["ratio_deviation_first_update"] = sums.ratio_deviation;
  figures["sampler_log_prob_difference"] = sums.sampler_difference.value();
  figures["reward_std_in_group"] = sums.reward_std.value();
  for (const auto& [name, mean] : sums.rewards) {
    figures[name == "reward" ? name : absl::StrCat("reward_", name)] = mean.value();
  }
  for (const auto& [name, mean] : sums.logged) figures[absl::StrCat("logged_", name)] = mean.value();
  return figures;
}

}  // namespace lvrpo
