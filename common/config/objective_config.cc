#include "common/config/objective_config.h"

#include "absl/strings/str_cat.h"
#include "common/config/choices.h"

namespace lvrpo {
namespace {

void CheckWindow(const v1::RolloutConfig& rollout, ConfigProblems& p) {
  p.Range("rollout.window_size", rollout.window_size(), 1, rollout.timesteps() - 1);
  p.Range("rollout.window_hi", rollout.window_hi(), 1, rollout.timesteps() - 1);
  p.Range("rollout.window_lo", rollout.window_lo(), 0, rollout.window_hi() - rollout.window_size());
  p.OneOf("rollout.window_draw", rollout.window_draw(), kWindowDraws);
  p.Range("rollout.window_every", rollout.window_every(), 1, 1e9);
  p.OneOf("rollout.initial_noise", rollout.initial_noise(), kInitialNoises);
  if (rollout.window_draw() == "sliding" &&
      rollout.window_hi() - rollout.window_lo() == rollout.window_size()) {
    p.Add("rollout.window_draw",
          absl::StrCat("a sliding window of ", rollout.window_size(), " steps has nowhere to go between ",
                       rollout.window_lo(), " and ", rollout.window_hi(),
                       ": raise rollout.window_hi, or use fixed"));
  }
}

void CheckImageLoss(const v1::RunConfig& c, ConfigProblems& p) {
  const v1::TrainConfig& train = c.train();
  const bool cps = c.rollout().kernel() == "cps", dppo = train.image_loss() == "flow_dppo";
  p.OneOf("train.image_loss", train.image_loss(), kImageLossForms);
  p.Positive("train.image_clip", train.image_clip());
  p.Range("train.image_clip_high", train.image_clip_high(), 0, 1e6);
  p.Positive("train.image_divergence_limit", train.image_divergence_limit());
  p.Range("train.image_kl_beta", train.image_kl_beta(), 0, 1e6);
  p.OneOf("train.image_kl_form", train.image_kl_form(), kImageKlForms);
  if (train.image_loss() == "grpo_guard" && cps) {
    p.Add(
        "train.image_loss",
        "grpo_guard centres the ratio of a Gaussian step, which the log-probs of rollout.kernel cps are not "
        "(they leave the variance out); use ppo, or the kernel flow_sde or dance");
  }
  if (dppo && train.image_kl_beta() > 0) {
    p.Add("train.image_kl_beta",
          "flow_dppo has no KL term to the reference, its limit takes that place: set 0, or use ppo");
  }
  const bool kl_of_steps = train.image_kl_beta() > 0 && train.image_kl_form() != "velocity_mse";
  if (cps && (dppo || kl_of_steps) && c.rollout().window_hi() == c.rollout().timesteps() - 1) {
    p.Add("rollout.window_hi",
          absl::StrCat("the last step of cps has no noise, so ",
                       dppo ? "flow_dppo" : absl::StrCat("train.image_kl_form ", train.image_kl_form()),
                       " divides by 0 there: use at most ", c.rollout().timesteps() - 2));
  }
}

void CheckTextLoss(const v1::TrainConfig& train, ConfigProblems& p) {
  p.OneOf("train.text_ratio", train.text_ratio(), kRatioLevels);
  p.Range("train.text_clip_low", train.text_clip_low(), 1e-9, 1);
  p.Positive("train.text_clip_high", train.text_clip_high());
  if (train.text_dual_clip() != 0 && !(train.text_dual_clip() > 1 && train.text_dual_clip() <= 1e6)) {
    p.Add("train.text_dual_clip",
          absl::StrCat(train.text_dual_clip(), " would cut ratios of 1: use more than 1, or 0 for no limit"));
  }
  p.Range("train.text_kl_beta", train.text_kl_beta(), 0, 1e6);
  p.OneOf("train.text_kl_form", train.text_kl_form(), kTextKlForms);
  p.OneOf("train.text_aggregation", train.text_aggregation(), kAggregations);
  const v1::TextCorrectionConfig& correction = train.text_correction();
  p.OneOf("train.text_correction.mode", correction.mode(), kCorrectionModes);
  p.Range("train.text_correction.low", correction.low(), 0, 1);
  p.Range("train.text_correction.high", correction.high(), 1, 1e6);
  if (correction.mode() == "none" && correction.always())
    p.Add("train.text_correction.always", "there is no correction: set train.text_correction.mode");
}

void CheckAdvantages(const v1::TrainConfig& train, ConfigProblems& p) {
  p.Positive("train.advantage_eps", train.advantage_eps());
  p.Positive("train.advantage_clamp", train.advantage_clamp());
  p.OneOf("train.advantage_scale", train.advantage_scale(), kAdvantageScales);
  p.OneOf("train.advantage_aggregation", train.advantage_aggregation(), kRewardAggregations);
  if (train.advantage_aggregation() == "gdpo" && train.advantage_scale() != "group") {
    p.Add("train.advantage_scale",
          "gdpo divides each component by its standard deviation in the group: use group");
  }
}

}  // namespace

void CheckObjective(const v1::RunConfig& config, ConfigProblems& p) {
  CheckWindow(config.rollout(), p);
  CheckImageLoss(config, p);
  CheckTextLoss(config.train(), p);
  CheckAdvantages(config.train(), p);
}

}  // namespace lvrpo
