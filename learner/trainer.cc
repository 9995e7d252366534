#include "learner/trainer.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "algorithm/ratio_metrics.h"
#include "algorithm/sample_settings.h"
#include "common/reward_config.h"
#include "generation/text_engine.h"
#include "model/autoencoder.h"

namespace lvrpo {
namespace {

AdamWOptions OptimizerOptions(const v1::OptimizerConfig& config, const v1::TrainConfig& train) {
  return {.learning_rate = config.learning_rate(),
          .weight_decay = config.weight_decay(),
          .beta1 = config.beta1(),
          .beta2 = config.beta2(),
          .eps = config.eps(),
          .warmup_steps = config.warmup_steps(),
          .total_steps = int64_t{train.steps()} * train.updates_per_step(),
          .cosine_floor = config.cosine_floor(),
          .gradient_clip = train.gradient_clip()};
}

absl::Status BadGroup(const v1::TrajectoryGroup& group, const std::string& what) {
  return absl::InvalidArgumentError(absl::StrCat("trajectories of ordinal ", group.ordinal(), ": ", what));
}

// Mean over what was added.
struct Mean {
  double sum = 0, count = 0;
  void Add(double value, double weight = 1) {
    sum += value * weight;
    count += weight;
  }
  double value() const { return count > 0 ? sum / count : 0; }
};

}  // namespace

struct GrpoTrainer::Sums {
  Mean image_loss, image_kl, image_clip_low, image_clip_high;
  Mean text_loss, text_kl, text_clip_low, text_clip_high;
  Mean sampler_difference;            // |our log-prob - the sampler's|
  double ratio_deviation = 0;         // largest |ratio - 1| in the first update
  double sampler_difference_now = 0;  // largest difference in image groups of the current version
  double text_difference_now = 0;     // the same of text groups
  double ratio_deviation_late = 0;    // largest |ratio - 1| in later updates
  std::map<std::string, Mean> rewards, logged;
  Mean reward_std, response_tokens;
};

GrpoTrainer::GrpoTrainer(v1::RunConfig config, Bagel reference, Bagel policy, TensorMap trained)
    : config_(std::move(config)),
      reference_(std::move(reference)),
      policy_(std::move(policy)),
      trained_(std::move(trained)) {}

absl::StatusOr<std::unique_ptr<GrpoTrainer>> GrpoTrainer::Create(const v1::RunConfig& config, Bagel base) {
  const absl::StatusOr<TrainedTensors> selected = SelectTrainedTensors(config, base);
  if (!selected.ok()) return selected.status();
  for (const auto& [name, tensor] : selected->image) {
    if (selected->text.contains(name)) {
      return absl::FailedPreconditionError(absl::StrCat(
          "train.image.trainable and train.text.trainable both match ", name, ": give it to one of them"));
    }
  }
  TensorMap trained = CloneTensors(selected->All());
  absl::StatusOr<Bagel> policy = base.WithTensors(trained, "the policy");
  if (!policy.ok()) return policy.status();
  absl::StatusOr<Bagel> reference =
      Bagel::Create(base.config(), WithoutLora(base.tensors()), "the reference");
  if (!reference.ok()) return reference.status();
  std::unique_ptr<GrpoTrainer> trainer(
      new GrpoTrainer(config, *std::move(reference), *std::move(policy), std::move(trained)));

  const v1::TrainConfig& train = config.train();
  TensorMap image, text;
  for (const auto& [name, tensor] : trainer->trained_)
    (selected->image.contains(name) ? image : text)[name] = tensor;
  if (!image.empty())
    trainer->image_ = std::make_unique<AdamW>(image, OptimizerOptions(train.image(), train));
  if (!text.empty()) trainer->text_ = std::make_unique<AdamW>(text, OptimizerOptions(train.text(), train));

  const absl::StatusOr<ImageLossForm> form = ParseImageLossForm(train.image_loss());
  if (!form.ok()) return form.status();
  trainer->image_loss_.form = *form;
  trainer->image_loss_.clip_low = trainer->image_loss_.clip_high = train.image_clip();
  trainer->image_loss_.advantage_clamp = train.advantage_clamp();
  trainer->image_loss_.kl_beta = train.image_kl_beta();
  const absl::StatusOr<ImageKlForm> kl_form = ParseImageKlForm(train.image_kl_form());
  if (!kl_form.ok()) return kl_form.status();
  trainer->image_loss_.kl_form = *kl_form;
  trainer->text_loss_.eps_low = train.text_clip_low();
  trainer->text_loss_.eps_high = train.text_clip_high();
  trainer->text_loss_.beta = train.text_kl_beta();
  trainer->text_loss_.kl = train.text_kl_beta() > 0 ? TextKlForm::kK3 : TextKlForm::kNone;
  trainer->advantage_options_.eps = train.advantage_eps();
  trainer->advantage_options_.clamp = train.advantage_clamp();
  const absl::StatusOr<RewardAggregation> aggregation = ParseRewardAggregation(train.advantage_aggregation());
  if (!aggregation.ok()) return aggregation.status();
  trainer->advantage_options_.aggregation = *aggregation;
  return trainer;
}

absl::Status GrpoTrainer::Check(const v1::TrajectoryGroup& group) const {
  if (group.samples_size() != config_.rollout().group_size()) {
    return BadGroup(group, absl::StrCat("has ", group.samples_size(), " samples"));
  }
  for (int slot = 0; slot < group.samples_size(); ++slot) {
    if (group.samples(slot).slot() != slot)
      return BadGroup(group, "its samples are not in the order of their slots");
  }
  for (const int32_t id : group.prompt_ids()) {
    if (id < 0 || id >= policy_.config().vocabulary)
      return BadGroup(group, "a prompt token is not in the vocabulary");
  }
  return group.prompt().task() == v1::TASK_KIND_TEXT ? CheckTexts(group) : CheckImages(group);
}

absl::Status GrpoTrainer::CheckImages(const v1::TrajectoryGroup& group) const {
  if (image_ == nullptr) return BadGroup(group, "an image group, but the run trains no image tensors");
  const v1::ImageSettings& settings = group.image();
  const v1::RolloutConfig& rollout = config_.rollout();
  const std::vector<float> timesteps = Timesteps(rollout.timesteps(), rollout.shift());
  if (settings.kernel() != rollout.kernel() || settings.noise_level() != rollout.noise_level() ||
      !std::equal(timesteps.begin(), timesteps.end(), settings.timesteps().begin(),
                  settings.timesteps().end())) {
    return BadGroup(group, "it was sampled with other settings than the run's");
  }
  const int steps = rollout.timesteps() - 1;
  if (settings.window_size() != rollout.window_size() || settings.window_begin() < 0 ||
      settings.window_begin() > steps - settings.window_size()) {
    return BadGroup(group, "the window lies outside the schedule");
  }
  const int64_t side = policy_.config().max_latent_side, grid_h = settings.grid_height(),
                grid_w = settings.grid_width();
  if (settings.token_dim() != policy_.config().token_dim() || grid_h < 1 || grid_h > side || grid_w < 1 ||
      grid_w > side || grid_h * grid_w != settings.tokens()) {
    return BadGroup(group, "the latents have another shape than the model's");
  }
  const auto per_sample =
      static_cast<size_t>((int64_t{settings.window_size()} + 1) * settings.tokens() * settings.token_dim());
  for (const v1::Sample& sample : group.samples()) {
    if (sample.latents().size() != per_sample * sizeof(float) ||
        sample.log_probs_size() != settings.window_size()) {
      return BadGroup(group,
                      absl::StrCat("sample ", sample.slot(), " has a wrong number of latents or log-probs"));
    }
    for (size_t at = 0; at < sample.latents().size(); at += sizeof(float)) {
      float value;
      std::memcpy(&value, sample.latents().data() + at, sizeof(value));
      if (!std::isfinite(value)) return BadGroup(group, "a latent is not finite");
    }
  }
  return absl::OkStatus();
}

absl::Status GrpoTrainer::CheckTexts(const v1::TrajectoryGroup& group) const {
  if (text_ == nullptr) return BadGroup(group, "a text group, but the run trains no text tensors");
  const int64_t patch = policy_.config().vit_patch, most = policy_.config().vit_max_side * patch,
                width = group.image_width(), height = group.image_height();
  if (width < 1 || width > most || width % patch != 0 || height < 1 || height > most || height % patch != 0 ||
      group.image_rgb().size() != static_cast<size_t>(width * height * 3)) {
    return BadGroup(group, absl::StrCat("a source image of ", width, "x", height, " pixels and ",
                                        group.image_rgb().size(), " bytes does not fit the model"));
  }
  for (const v1::Sample& sample : group.samples()) {
    if (sample.response_ids_size() < 1 || sample.response_ids_size() != sample.log_probs_size() ||
        sample.response_ids_size() > config_.rollout().max_text_tokens()) {
      return BadGroup(group, "a response is empty, too long or lacks log-probs");
    }
    for (const int32_t id : sample.response_ids()) {
      if (id < 0 || id >= policy_.config().vocabulary) {
        return BadGroup(group, "a response token is not in the vocabulary");
      }
    }
  }
  return absl::OkStatus();
}

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
                                const std::vector<torch::Tensor*>& advantages, Sums& sums) const {
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

void GrpoTrainer::ImageGradients(ImageGroup& group, bool first, double global_terms, Sums& sums) const {
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

void GrpoTrainer::TextGradients(TextGroup& group, bool first, double global_tokens, Sums& sums) const {
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

absl::StatusOr<GrpoTrainer::StepMetrics> GrpoTrainer::Step(const std::vector<v1::TrajectoryGroup>& groups,
                                                           int64_t step_version) {
  std::vector<ImageGroup> images;
  std::vector<TextGroup> texts;
  std::vector<const v1::TrajectoryGroup*> image_sources, text_sources;
  double image_terms = 0, text_tokens = 0, age = 0;
  for (const v1::TrajectoryGroup& group : groups) {
    if (absl::Status status = Check(group); !status.ok()) return status;
    const bool current = group.version().version() == step_version;
    age += static_cast<double>(step_version - group.version().version());
    if (group.prompt().task() == v1::TASK_KIND_TEXT) {
      TextGroup read = ReadTextGroup(group);
      read.current = current;
      text_tokens += read.mask.sum().item<double>();
      texts.push_back(std::move(read));
      text_sources.push_back(&group);
    } else {
      ImageGroup read = ReadImageGroup(group);
      read.current = current;
      image_terms += static_cast<double>(read.log_probs.numel());
      images.push_back(std::move(read));
      image_sources.push_back(&group);
    }
  }
  Sums sums;
  std::vector<torch::Tensor*> image_advantages, text_advantages;
  for (ImageGroup& group : images) image_advantages.push_back(&group.advantages);
  for (TextGroup& group : texts) text_advantages.push_back(&group.advantages);
  SetAdvantages(image_sources, image_advantages, sums);
  SetAdvantages(text_sources, text_advantages, sums);

  StepMetrics metrics;
  const ExpertLoad load;
  std::vector<AdamW*> optimizers;
  if (image_ != nullptr) optimizers.push_back(image_.get());
  if (text_ != nullptr) optimizers.push_back(text_.get());
  for (int update = 0; update < config_.train().updates_per_step(); ++update) {
    for (AdamW* optimizer : optimizers) optimizer->ClearGradients();
    for (ImageGroup& group : images) ImageGradients(group, update == 0, image_terms, sums);
    for (TextGroup& group : texts) TextGradients(group, update == 0, text_tokens, sums);
    const std::vector<OptimizerStep> taken = StepTogether(optimizers);
    for (size_t i = 0; i < taken.size(); ++i) {
      const std::string task = optimizers[i] == image_.get() ? "image" : "text";
      metrics[absl::StrCat(task, "_gradient_norm")] = taken[i].gradient_norm;
      metrics[absl::StrCat(task, "_learning_rate")] = taken[i].learning_rate;
      if (!taken[i].finite) metrics["nonfinite"] = 1;
    }
  }
  if (!images.empty()) {
    metrics["image_loss"] = sums.image_loss.value();
    metrics["image_kl"] = sums.image_kl.value();
    metrics["image_clip_low"] = sums.image_clip_low.value();
    metrics["image_clip_high"] = sums.image_clip_high.value();
  }
  if (!texts.empty()) {
    metrics["text_loss"] = sums.text_loss.value();
    metrics["text_kl"] = sums.text_kl.value();
    metrics["text_clip_low"] = sums.text_clip_low.value();
    metrics["text_clip_high"] = sums.text_clip_high.value();
    metrics["response_tokens"] = sums.response_tokens.value();
  }
  if (policy_.config().router.top_k) {
    for (const auto& [kind, name] :
         {std::pair{TokenKind::kUnderstanding, "understanding"}, {TokenKind::kLatent, "latent"}}) {
      metrics[absl::StrCat("effective_experts_", name)] = load.EffectiveExperts(kind);
      metrics[absl::StrCat("largest_expert_share_", name)] = load.LargestShare(kind);
    }
  }
  metrics["ratio_deviation_first_update"] = sums.ratio_deviation;
  if (config_.train().updates_per_step() > 1)
    metrics["ratio_deviation_later_updates"] = sums.ratio_deviation_late;
  metrics["sampler_log_prob_difference"] = sums.sampler_difference.value();
  if (!images.empty()) metrics["sampler_log_prob_difference_same_version"] = sums.sampler_difference_now;
  if (!texts.empty()) metrics["text_log_prob_difference_same_version"] = sums.text_difference_now;
  metrics["staleness"] = age / static_cast<double>(groups.size());
  metrics["reward_std_in_group"] = sums.reward_std.value();
  for (const auto& [name, mean] : sums.rewards) {
    metrics[name == "reward" ? name : absl::StrCat("reward_", name)] = mean.value();
  }
  for (const auto& [name, mean] : sums.logged) metrics[absl::StrCat("logged_", name)] = mean.value();
  return metrics;
}

double GrpoTrainer::SelfTest() const {
  if (image_ == nullptr) return 0;
  const v1::RolloutConfig& rollout = config_.rollout();
  torch::NoGradGuard no_grad;
  const ImageSampleOptions options =
      SampleOptions(rollout, {.begin = rollout.window_lo(), .size = rollout.window_size()});
  const int64_t side = 4;
  const VelocityFunction velocity = BagelVelocity(policy_, policy_.PrefillPrompt({1, 2, 3}), side, side,
                                                  {.text_scale = rollout.cfg_scale()});
  const ImageSamples samples = SampleImages(velocity, rollout.group_size(), side * side,
                                            policy_.config().token_dim(), config_.seed(), 0, options);
  return (WindowLogProbs(velocity, samples.window_latents, options) - samples.log_probs)
      .abs()
      .max()
      .item<double>();
}

double GrpoTrainer::TextSelfTest() const {
  if (text_ == nullptr) return 0;
  const BagelConfig& model = policy_.config();
  const v1::RolloutConfig& rollout = config_.rollout();
  torch::NoGradGuard no_grad;
  RgbImage gray;
  gray.width = gray.height = static_cast<int>(model.vit_patch * std::min<int64_t>(model.vit_max_side, 4));
  gray.pixels.assign(static_cast<size_t>(gray.width) * gray.height * 3, 0x40);
  const KvCache context = policy_.PrefillQuestion(FromRgbImages({gray}), {1, 2, 3});
  const TextRequest request = {.context = context,
                               .start = model.bos,
                               .samples = rollout.group_size(),
                               .options = {.max_tokens = rollout.max_text_tokens(),
                                           .temperature = rollout.temperature(),
                                           .eos = model.eos},
                               .stop = {}};
  const absl::StatusOr<TextSamples> answers = GenerateText(policy_, request, config_.seed());
  TORCH_CHECK(answers.ok(), answers.status().message());
  const TextSamples& samples = *answers;
  v1::TrajectoryGroup group;
  group.set_image_width(gray.width);
  group.set_image_height(gray.height);
  group.set_image_rgb(std::string(gray.pixels.begin(), gray.pixels.end()));
  for (const int32_t id : {1, 2, 3}) group.add_prompt_ids(id);
  for (size_t i = 0; i < samples.ids.size(); ++i) {
    v1::Sample& sample = *group.add_samples();
    *sample.mutable_response_ids() = {samples.ids[i].begin(), samples.ids[i].end()};
    *sample.mutable_log_probs() = {samples.log_probs[i].begin(), samples.log_probs[i].end()};
  }
  const TextGroup read = ReadTextGroup(group);
  const torch::Tensor evaluated = policy_.ResponseLogProbs(context, read.responses, rollout.temperature());
  return ((evaluated - read.log_probs) * read.mask).abs().max().item<double>();
}

TensorMap GrpoTrainer::OptimizerState() const {
  TensorMap state;
  for (const auto& [task, optimizer] :
       {std::pair<std::string, const AdamW*>{"image", image_.get()}, {"text", text_.get()}}) {
    if (optimizer == nullptr) continue;
    for (const auto& [name, tensor] : optimizer->State()) state[absl::StrCat(task, "/", name)] = tensor;
  }
  return state;
}

absl::Status GrpoTrainer::RestoreOptimizers(const TensorMap& state) {
  for (const auto& [task, optimizer] :
       {std::pair<std::string, AdamW*>{"image/", image_.get()}, {"text/", text_.get()}}) {
    if (optimizer == nullptr) continue;
    TensorMap own;
    for (const auto& [name, tensor] : state) {
      if (name.rfind(task, 0) == 0) own[name.substr(task.size())] = tensor;
    }
    if (absl::Status status = optimizer->Restore(own); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status GrpoTrainer::RestoreWeights(const TensorMap& weights) {
  ShapeMap shapes;
  for (const auto& [name, tensor] : trained_) shapes[name] = tensor.sizes().vec();
  if (absl::Status status = CheckTensors(shapes, weights, "the checkpoint"); !status.ok()) return status;
  torch::NoGradGuard no_grad;
  for (auto& [name, tensor] : trained_) tensor.copy_(weights.at(name));
  return absl::OkStatus();
}

int64_t GrpoTrainer::nonfinite_in_a_row() const {
  return std::max(image_ ? image_->nonfinite_in_a_row() : 0, text_ ? text_->nonfinite_in_a_row() : 0);
}

}  // namespace lvrpo
