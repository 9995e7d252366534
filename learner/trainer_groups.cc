// How GrpoTrainer reads groups and accumulates their gradients.

#include <algorithm>
#include <cmath>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/config/reward_config.h"
#include "generation/text_engine.h"
#include "learner/trainer.h"
#include "model/autoencoder.h"
#include "policy/sample_settings.h"

namespace lvrpo {

GrpoTrainer::ImageGroup GrpoTrainer::ReadImageGroup(const v1::TrajectoryGroup& group) const {
  const v1::ImageSettings& settings = group.image();
  ImageGroup read;
  read.options = SampleOptions(settings);
  read.grid_h = settings.grid_height();
  read.grid_w = settings.grid_width();
  const int64_t samples = group.samples_size(), window = settings.window_size();
  read.latents = torch::empty({samples, window + 1, settings.tokens(), settings.token_dim()});
  read.log_probs = torch::empty({samples, window}, torch::kFloat64);
  for (int64_t i = 0; i < samples; ++i) {
    const v1::Sample& sample = group.samples(static_cast<int>(i));
    std::memcpy(read.latents[i].data_ptr(), sample.latents().data(), sample.latents().size());
    for (int64_t k = 0; k < window; ++k)
      read.log_probs[i][k] = static_cast<double>(sample.log_probs(static_cast<int>(k)));
  }
  torch::NoGradGuard no_grad;
  const std::vector<int32_t> ids(group.prompt_ids().begin(), group.prompt_ids().end());
  read.context = policy_.PrefillPrompt(ids);
  if (image_loss_.kl_beta > 0) read.reference_context = reference_.PrefillPrompt(ids);
  return read;
}

GrpoTrainer::TextGroup GrpoTrainer::ReadTextGroup(const v1::TrajectoryGroup& group) const {
  TextGroup read;
  RgbImage image;
  image.width = group.image_width();
  image.height = group.image_height();
  image.pixels.assign(group.image_rgb().begin(), group.image_rgb().end());
  read.pixels = FromRgbImages({image});
  read.prompt_ids.assign(group.prompt_ids().begin(), group.prompt_ids().end());
  int64_t longest = 0;
  for (const v1::Sample& sample : group.samples()) {
    longest = std::max<int64_t>(longest, sample.response_ids_size());
  }
  const int64_t count = group.samples_size();
  read.responses = torch::full({count, longest}, policy_.config().eos, torch::kInt64);
  read.mask = torch::zeros({count, longest}, torch::kFloat64);
  read.log_probs = torch::zeros({count, longest}, torch::kFloat64);
  for (int64_t i = 0; i < count; ++i) {
    const v1::Sample& sample = group.samples(static_cast<int>(i));
    for (int k = 0; k < sample.response_ids_size(); ++k) {
      read.responses[i][k] = int64_t{sample.response_ids(k)};
      read.log_probs[i][k] = static_cast<double>(sample.log_probs(k));
      read.mask[i][k] = 1.0;
    }
  }
  if (text_loss_.beta > 0) {
    torch::NoGradGuard no_grad;
    read.reference = reference_.ResponseLogProbs(reference_.PrefillQuestion(read.pixels, read.prompt_ids),
                                                 read.responses, config_.rollout().temperature());
  }
  return read;
}

void GrpoTrainer::SetAdvantages(const std::vector<const v1::TrajectoryGroup*>& groups,
                                const std::vector<torch::Tensor*>& advantages, StepSums& sums) const {
  if (groups.empty()) return;
  const auto count = static_cast<int64_t>(groups.size());
  const int64_t size = groups[0]->samples_size();
  torch::Tensor rewards = torch::empty({count, size}, torch::kFloat64);
  std::map<std::string, int64_t> component_index;
  for (const v1::TrajectoryGroup* group : groups) {
    for (const v1::Sample& sample : group->samples()) {
      for (const v1::ComponentScore& score : sample.scores()) {
        component_index.emplace(score.name(), static_cast<int64_t>(component_index.size()));
      }
    }
  }
  torch::Tensor components =
      torch::full({count, size, static_cast<int64_t>(component_index.size())}, NAN, torch::kFloat64);
  for (int64_t p = 0; p < count; ++p) {
    for (int64_t g = 0; g < size; ++g) {
      const v1::Sample& sample = groups[static_cast<size_t>(p)]->samples(static_cast<int>(g));
      rewards[p][g] = static_cast<double>(sample.reward());
      sums.rewards["reward"].Add(sample.reward());
      for (const v1::ComponentScore& score : sample.scores()) {
        components[p][g][component_index[score.name()]] = static_cast<double>(score.score());
        sums.rewards[score.name()].Add(score.score());
      }
      for (const v1::ComponentScore& score : sample.logged()) {
        if (score.outcome() == v1::ComponentScore::OK) sums.logged[score.name()].Add(score.score());
      }
    }
    sums.reward_std.Add(rewards[p].std().item<double>());
  }
  torch::Tensor values;
  if (advantage_options_.aggregation == RewardAggregation::kNormalizeThenSum) {
    torch::Tensor weights = torch::ones({static_cast<int64_t>(component_index.size())}, torch::kFloat64);
    const std::map<std::string, double> configured = ComponentWeights(config_.reward());
    for (const auto& [name, index] : component_index) {
      if (const auto weight = configured.find(name); weight != configured.end())
        weights[index] = weight->second;
    }
    values = GroupAdvantages(components, weights, advantage_options_).advantages;
  } else {
    values = GroupAdvantages(rewards, {}, advantage_options_).advantages;
  }
  for (int64_t p = 0; p < count; ++p) *advantages[static_cast<size_t>(p)] = values[p];
}

void GrpoTrainer::ImageGradients(ImageGroup& group, bool first, double global_terms, StepSums& sums) const {
  const int64_t size = group.latents.size(0), window = group.options.window.size;
  const int64_t micro = config_.train().micro_batch() > 0 ? config_.train().micro_batch() : size;
  const bool guard = image_loss_.form == ImageLossForm::kGrpoGuard;
  if (first) {
    group.old = torch::empty({size, window}, torch::kFloat64);
    if (guard) group.old_means = torch::empty_like(group.latents.narrow(1, 1, window));
  }
  const GuidanceOptions guidance = {.text_scale = config_.rollout().cfg_scale()};
  const VelocityFunction velocity =
      BagelVelocity(policy_, group.context, group.grid_h, group.grid_w, guidance);
  const VelocityFunction reference =
      image_loss_.kl_beta > 0
          ? BagelVelocity(reference_, group.reference_context, group.grid_h, group.grid_w, guidance)
          : VelocityFunction();
  for (int64_t begin = 0; begin < size; begin += micro) {
    const int64_t count = std::min(micro, size - begin);
    const torch::Tensor latents = group.latents.narrow(0, begin, count);
    for (int64_t k = 0; k < window; ++k) {
      const WindowStep evaluated = EvaluateWindowStep(velocity, latents, static_cast<int>(k), group.options);
      torch::Tensor old = group.old.narrow(0, begin, count).select(1, k), old_mean;
      if (guard) old_mean = group.old_means.narrow(0, begin, count).select(1, k);
      if (first) {
        old.copy_(evaluated.log_prob.detach());
        if (guard) old_mean.copy_(evaluated.mean.detach());
        const double difference =
            (old - group.log_probs.narrow(0, begin, count).select(1, k).to(torch::kFloat64))
                .abs()
                .max()
                .item<double>();
        sums.sampler_difference.Add(difference);
        if (group.current) sums.sampler_difference_now = std::max(sums.sampler_difference_now, difference);
      }
      ImageLossInput input;
      input.step = evaluated.step;
      input.x_next = latents.select(1, k + 1);
      input.velocity = evaluated.velocity;
      input.mean = evaluated.mean;
      input.log_prob_old = old;
      input.mean_old = old_mean;
      input.advantages = group.advantages.narrow(0, begin, count);
      input.global_terms = global_terms;
      if (reference) {
        torch::NoGradGuard no_grad;
        const WindowStep frozen = EvaluateWindowStep(reference, latents, static_cast<int>(k), group.options);
        input.velocity_ref = frozen.velocity;
        input.mean_ref = frozen.mean;
      }
      const ImageLossTerms terms = ImageLoss(input, image_loss_);
      terms.loss.backward();
      sums.image_loss.Add(terms.loss.item<double>() * global_terms / static_cast<double>(count));
      if (terms.kl.defined())
        sums.image_kl.Add(terms.kl.item<double>() * global_terms / static_cast<double>(count));
      sums.image_clip_low.Add(terms.clip_low_fraction);
      sums.image_clip_high.Add(terms.clip_high_fraction);
      double& deviation = first ? sums.ratio_deviation : sums.ratio_deviation_late;
      deviation = std::max(deviation, terms.ratio_minus_1.abs().max().item<double>());
    }
  }
}

void GrpoTrainer::TextGradients(TextGroup& group, bool first, double global_tokens, StepSums& sums) const {
  const KvCache context = policy_.PrefillQuestion(group.pixels, group.prompt_ids);
  const torch::Tensor log_probs =
      policy_.ResponseLogProbs(context, group.responses, config_.rollout().temperature()).to(torch::kFloat64);
  if (first) group.old = log_probs.detach().clone();
  TextLossInput input;
  input.log_probs = log_probs;
  input.old_log_probs = group.old;
  input.mask = group.mask;
  input.advantages = group.advantages;
  if (group.reference.defined()) input.ref_log_probs = group.reference;
  if (!group.current) input.is_weights = CorrectionWeights(group.old, group.log_probs, group.mask, {});
  TextLossOptions options = text_loss_;
  options.global_tokens = global_tokens;
  const TextLossTerms terms = TextLoss(input, options);
  terms.loss.backward();
  const double tokens = group.mask.sum().item<double>();
  sums.text_loss.Add(terms.loss.item<double>() * global_tokens / tokens, tokens);
  if (terms.kl.defined()) sums.text_kl.Add(terms.kl.sum().item<double>() / tokens, tokens);
  sums.text_clip_low.Add(terms.clip_low_fraction, tokens);
  sums.text_clip_high.Add(terms.clip_high_fraction, tokens);
  sums.response_tokens.Add(tokens / static_cast<double>(group.mask.size(0)));
  const double deviation = ((terms.ratio - 1) * group.mask).abs().max().item<double>();
  (first ? sums.ratio_deviation : sums.ratio_deviation_late) =
      std::max(first ? sums.ratio_deviation : sums.ratio_deviation_late, deviation);
  if (first) {
    const double difference = ((group.old - group.log_probs) * group.mask).abs().max().item<double>();
    sums.sampler_difference.Add(difference);
    if (group.current) sums.text_difference_now = std::max(sums.text_difference_now, difference);
  }
}

}  // namespace lvrpo
