#include "learner/step/image_objective.h"

#include <algorithm>

namespace lvrpo {

ImageObjective::ImageObjective(const ImageGroup& group, const std::vector<int32_t>& prompt_ids,
                               const Policies& models, const ObjectiveSettings& settings, bool current)
    : group_(group), models_(models), settings_(settings), current_(current) {
  torch::NoGradGuard no_grad;
  for (torch::Tensor* values : {&group_.latents, &group_.log_probs})
    *values = values->to(models_.policy.device());
  context_ = models_.policy.PrefillPrompt(prompt_ids);
  if (settings_.image.kl_beta > 0) reference_context_ = models_.reference.PrefillPrompt(prompt_ids);
}

double ImageObjective::terms() const { return static_cast<double>(group_.log_probs.numel()); }

void ImageObjective::KeepOld(const Part& part, const WindowStep& evaluated, StepSums& sums) {
  const torch::Tensor old = part.At(old_);
  old.copy_(evaluated.log_prob.detach());
  if (old_means_.defined()) part.At(old_means_).copy_(evaluated.mean.detach());
  const double difference = (old - part.At(group_.log_probs)).abs().max().item<double>();
  sums.sampler_difference.Add(difference);
  if (current_) sums.sampler_difference_now = std::max(sums.sampler_difference_now, difference);
  const torch::Tensor weights = (old - part.At(group_.log_probs)).exp();
  const auto count = static_cast<double>(part.count);
  sums.image_weight.Add(weights.mean().item<double>(), count);
  sums.squared_image_weight.Add(weights.square().mean().item<double>(), count);
  if (part.step == 0) KeepNoise(part, evaluated);
}

void ImageObjective::KeepNoise(const Part& part, const WindowStep& evaluated) {
  const torch::Tensor after = part.Of(group_.latents).select(1, 1);
  if (!noise_.defined()) noise_ = torch::empty({group_.latents.size(0), after[0].numel()});
  part.Of(noise_).copy_((after - evaluated.mean.detach()).flatten(1));
}

ImageLossInput ImageObjective::Input(const Part& part, const WindowStep& evaluated,
                                     const VelocityFunction& reference) const {
  const torch::Tensor latents = part.Of(group_.latents);
  ImageLossInput input;
  input.step = evaluated.step;
  input.x_next = latents.select(1, part.step + 1);
  input.velocity = evaluated.velocity;
  input.mean = evaluated.mean;
  input.log_prob_old = part.At(old_);
  if (old_means_.defined()) input.mean_old = part.At(old_means_);
  if (reference) {
    torch::NoGradGuard no_grad;
    const WindowStep frozen = EvaluateWindowStep(reference, latents, part.step, group_.options);
    input.velocity_ref = frozen.velocity;
    input.mean_ref = frozen.mean;
  }
  return input;
}

void ImageObjective::ForEachPart(const std::function<void(const Part&)>& compute) const {
  const int64_t size = group_.latents.size(0),
                micro = settings_.micro_batch > 0 ? settings_.micro_batch : size;
  for (int64_t begin = 0; begin < size; begin += micro) {
    for (int step = 0; step < group_.options.window.size; ++step)
      compute({begin, std::min(micro, size - begin), step});
  }
}

VelocityFunction ImageObjective::Velocity() const {
  return BagelVelocity(models_.policy, context_, group_.grid, settings_.guidance);
}

void ImageObjective::MakeRoomForOld() {
  old_ = torch::empty_like(group_.log_probs);
  if (settings_.image.form != ImageLossForm::kPpo)
    old_means_ = torch::empty_like(group_.latents.narrow(1, 1, group_.options.window.size));
}

void ImageObjective::KeepOld(StepSums& sums) {
  const torch::NoGradGuard no_grad;
  MakeRoomForOld();
  const VelocityFunction velocity = Velocity();
  ForEachPart([&](const Part& part) {
    KeepOld(part, EvaluateWindowStep(velocity, part.Of(group_.latents), part.step, group_.options), sums);
  });
  if (noise_.defined()) sums.noise.push_back(noise_);
}

void ImageObjective::Backward(const torch::Tensor& advantages, bool first, double step_terms,
                              StepSums& sums) {
  const torch::Tensor own_advantages = advantages.to(group_.latents.device());
  if (first) MakeRoomForOld();
  const VelocityFunction velocity = Velocity();
  VelocityFunction reference;
  if (settings_.image.kl_beta > 0)
    reference = BagelVelocity(models_.reference, reference_context_, group_.grid, settings_.guidance);
  ForEachPart([&](const Part& part) {
    const WindowStep evaluated =
        EvaluateWindowStep(velocity, part.Of(group_.latents), part.step, group_.options);
    if (first) KeepOld(part, evaluated, sums);
    ImageLossInput input = Input(part, evaluated, reference);
    input.advantages = part.Of(own_advantages);
    input.global_terms = step_terms;
    const ImageLossTerms terms = ImageLoss(input, settings_.image);
    terms.loss.backward();
    AddImageTerms(terms, part.count, group_.options.window.begin + part.step, step_terms, first, sums);
  });
  if (first && noise_.defined()) sums.noise.push_back(noise_);
}

}  // namespace lvrpo
