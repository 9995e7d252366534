// GrpoTrainer's step: gradients of all groups, and whose fault it is when they cannot be computed.

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/thrown.h"
#include "generation/text_engine.h"
#include "learner/trainer.h"
#include "learner/verdict.h"
#include "model/autoencoder.h"
#include "policy/sample_settings.h"

namespace lvrpo {
namespace {

absl::Status NotFinite() { return absl::InvalidArgumentError("its gradients are not finite"); }

}  // namespace

struct GrpoTrainer::Groups {
  std::vector<ImageGroup> images;
  std::vector<TextGroup> texts;
  std::vector<size_t> image_places, text_places;  // indices into Step()'s argument
  double image_terms = 0, text_tokens = 0;        // of all groups
};

std::vector<AdamW*> GrpoTrainer::Optimizers() const {
  std::vector<AdamW*> optimizers;
  if (image_ != nullptr) optimizers.push_back(image_.get());
  if (text_ != nullptr) optimizers.push_back(text_.get());
  return optimizers;
}

void GrpoTrainer::ClearGradients() const {
  for (AdamW* optimizer : Optimizers()) optimizer->ClearGradients();
}

bool GrpoTrainer::GradientsAreFinite() const {
  const std::vector<AdamW*> optimizers = Optimizers();
  return std::all_of(optimizers.begin(), optimizers.end(),
                     [](const AdamW* optimizer) { return std::isfinite(optimizer->GradientNorm()); });
}

bool GrpoTrainer::WeightsAreFinite() const {
  const torch::NoGradGuard no_grad;
  return std::all_of(trained_.begin(), trained_.end(), [](const auto& entry) {
    return std::isfinite(entry.second.sum(torch::kFloat64).template item<double>());
  });
}

std::vector<absl::Status> GrpoTrainer::TryAlone(Groups& groups, bool first) const {
  std::vector<absl::Status> alone(groups.images.size() + groups.texts.size());
  StepSums ignored;
  const auto attempt = [&](size_t place, const std::function<void()>& gradients) {
    ClearGradients();
    alone[place] = TryToRun(gradients);
    if (alone[place].ok() && !GradientsAreFinite()) alone[place] = NotFinite();
  };
  for (size_t i = 0; i < groups.images.size(); ++i) {
    attempt(groups.image_places[i],
            [&] { ImageGradients(groups.images[i], first, groups.image_terms, ignored); });
  }
  for (size_t i = 0; i < groups.texts.size(); ++i) {
    attempt(groups.text_places[i],
            [&] { TextGradients(groups.texts[i], first, groups.text_tokens, ignored); });
  }
  ClearGradients();
  return alone;
}

absl::Status GrpoTrainer::ProbePolicy() const {
  const absl::Status diverged = absl::OutOfRangeError("the policy's own samples have no finite gradients");
  if (!WeightsAreFinite()) return diverged;
  bool finite = true;
  StepSums ignored;
  ClearGradients();
  const absl::Status probed = TryToRun([&] {
    if (image_ != nullptr) {
      ImageGroup own = OwnImages();
      ImageGradients(own, true, static_cast<double>(own.log_probs.numel()), ignored);
      finite = finite && GradientsAreFinite();
    }
    if (text_ != nullptr) {
      TextGroup own = OwnTexts();
      TextGradients(own, true, own.mask.sum().item<double>(), ignored);
      finite = finite && GradientsAreFinite();
    }
  });
  ClearGradients();
  return probed.ok() && !finite ? diverged : probed;
}

absl::StatusOr<GrpoTrainer::StepResult> GrpoTrainer::Unusable(const absl::Status& together,
                                                              const std::vector<absl::Status>& alone,
                                                              Fault fault) {
  StepResult result;
  if (fault == Fault::kMachine) {
    const std::string why =
        together.ok() ? "no group of the step fits into memory" : std::string(together.message());
    return absl::ResourceExhaustedError(absl::StrCat("the step cannot be computed on this machine: ", why));
  }
  for (size_t i = 0; i < alone.size(); ++i) {
    if (!alone[i].ok()) result.unusable[i] = std::string(alone[i].message());
  }
  return result;
}

absl::StatusOr<GrpoTrainer::StepResult> GrpoTrainer::Step(const std::vector<v1::TrajectoryGroup>& sources,
                                                          int64_t step_version) {
  Groups groups;
  std::vector<const v1::TrajectoryGroup*> image_sources, text_sources;
  std::vector<absl::Status> alone(sources.size());
  absl::Status together;
  double age = 0;
  for (size_t i = 0; i < sources.size(); ++i) {
    const v1::TrajectoryGroup& source = sources[i];
    const bool current = source.version().number() == step_version;
    age += static_cast<double>(step_version - source.version().number());
    alone[i] = TryToRun([&] {
      if (source.prompt().task() == v1::TASK_KIND_TEXT) {
        TextGroup read = ReadTextGroup(source);
        read.current = current;
        groups.text_tokens += read.mask.sum().item<double>();
        groups.texts.push_back(std::move(read));
        groups.text_places.push_back(i);
        text_sources.push_back(&source);
      } else {
        ImageGroup read = ReadImageGroup(source);
        read.current = current;
        groups.image_terms += static_cast<double>(read.log_probs.numel());
        groups.images.push_back(std::move(read));
        groups.image_places.push_back(i);
        image_sources.push_back(&source);
      }
    });
    together.Update(alone[i]);
  }
  if (!together.ok()) {
    const absl::Status policy = ProbePolicy();
    if (absl::IsOutOfRange(policy)) return policy;
    return Unusable(together, alone, Judge(together, alone, policy));
  }
  StepSums sums;
  std::vector<torch::Tensor*> image_advantages, text_advantages;
  for (ImageGroup& group : groups.images) image_advantages.push_back(&group.advantages);
  for (TextGroup& group : groups.texts) text_advantages.push_back(&group.advantages);
  SetAdvantages(image_sources, image_advantages, sums);
  SetAdvantages(text_sources, text_advantages, sums);

  const ExpertLoad load;
  const std::vector<AdamW*> optimizers = Optimizers();
  const int updates = config_.train().updates_per_step();
  TensorMap weights_before, optimizers_before;  // only a later update may have to be undone
  if (updates > 1) {
    weights_before = CloneTensors(trained_);
    optimizers_before = OptimizerState();
  }
  std::map<std::string, double> taken_figures;
  taken_figures["nonfinite"] = 0;
  for (int update = 0; update < updates; ++update) {
    ClearGradients();
    together = TryToRun([&] {
      for (ImageGroup& group : groups.images) ImageGradients(group, update == 0, groups.image_terms, sums);
      for (TextGroup& group : groups.texts) TextGradients(group, update == 0, groups.text_tokens, sums);
    });
    std::vector<OptimizerStep> taken;
    if (together.ok() && GradientsAreFinite()) {
      taken = StepTogether(optimizers);
    } else {
      alone = TryAlone(groups, update == 0);
      const Fault fault = Judge(together, alone, ProbePolicy());
      if (fault != Fault::kPolicy) {
        if (update > 0) {
          if (absl::Status status = RestoreWeights(weights_before); !status.ok()) return status;
          if (absl::Status status = RestoreOptimizers(optimizers_before); !status.ok()) return status;
        }
        return Unusable(together, alone, fault);
      }
      taken = SkipTogether(optimizers);
    }
    for (size_t i = 0; i < taken.size(); ++i) {
      const std::string task = optimizers[i] == image_.get() ? "image" : "text";
      taken_figures[absl::StrCat(task, "_gradient_norm")] = taken[i].gradient_norm;
      taken_figures[absl::StrCat(task, "_learning_rate")] = taken[i].learning_rate;
      if (!taken[i].finite) taken_figures["nonfinite"] = 1;
    }
  }
  if (!WeightsAreFinite()) {
    return absl::OutOfRangeError("an update left weights that are not finite");
  }
  StepResult result;
  result.metrics = StepFigures(sums, !groups.images.empty(), !groups.texts.empty());
  result.metrics.merge(taken_figures);
  result.metrics["staleness"] = age / static_cast<double>(sources.size());
  if (updates > 1) result.metrics["ratio_deviation_later_updates"] = sums.ratio_deviation_late;
  if (policy_.config().router.top_k) {
    for (const auto& [kind, name] :
         {std::pair{TokenKind::kUnderstanding, "understanding"}, {TokenKind::kLatent, "latent"}}) {
      result.metrics[absl::StrCat("effective_experts_", name)] = load.EffectiveExperts(kind);
      result.metrics[absl::StrCat("largest_expert_share_", name)] = load.LargestShare(kind);
    }
  }
  return result;
}

GrpoTrainer::ImageGroup GrpoTrainer::OwnImages() const {
  torch::NoGradGuard no_grad;
  const v1::RolloutConfig& rollout = config_.rollout();
  ImageGroup group;
  group.options = SampleOptions(rollout, {.begin = rollout.window_lo(), .size = rollout.window_size()});
  group.grid_h = group.grid_w = 4;
  group.context = policy_.PrefillPrompt({1, 2, 3});
  if (image_loss_.kl_beta > 0) group.reference_context = reference_.PrefillPrompt({1, 2, 3});
  const VelocityFunction velocity =
      BagelVelocity(policy_, group.context, group.grid_h, group.grid_w, {.text_scale = rollout.cfg_scale()});
  const ImageSamples samples = SampleImages(velocity, rollout.group_size(), group.grid_h * group.grid_w,
                                            policy_.config().token_dim(), config_.seed(), 0, group.options);
  group.latents = samples.window_latents;
  group.log_probs = samples.log_probs;
  group.advantages = torch::ones({rollout.group_size()}, torch::kFloat64);
  group.current = true;
  return group;
}

GrpoTrainer::TextGroup GrpoTrainer::OwnTexts() const {
  torch::NoGradGuard no_grad;
  const BagelConfig& model = policy_.config();
  const v1::RolloutConfig& rollout = config_.rollout();
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
  const absl::StatusOr<TextSamples> samples = GenerateText(policy_, request, config_.seed());
  TORCH_CHECK(samples.ok(), samples.status().message());
  v1::TrajectoryGroup group;
  group.set_image_width(gray.width);
  group.set_image_height(gray.height);
  group.set_image_rgb(std::string(gray.pixels.begin(), gray.pixels.end()));
  for (const int32_t id : {1, 2, 3}) group.add_prompt_ids(id);
  for (size_t i = 0; i < samples->ids.size(); ++i) {
    v1::Sample& sample = *group.add_samples();
    *sample.mutable_response_ids() = {samples->ids[i].begin(), samples->ids[i].end()};
    *sample.mutable_log_probs() = {samples->log_probs[i].begin(), samples->log_probs[i].end()};
  }
  TextGroup read = ReadTextGroup(group);
  read.advantages = torch::ones({rollout.group_size()}, torch::kFloat64);
  read.current = true;
  return read;
}

double GrpoTrainer::SelfTest() const {
  if (image_ == nullptr) return 0;
  torch::NoGradGuard no_grad;
  const ImageGroup own = OwnImages();
  const VelocityFunction velocity = BagelVelocity(policy_, own.context, own.grid_h, own.grid_w,
                                                  {.text_scale = config_.rollout().cfg_scale()});
  return (WindowLogProbs(velocity, own.latents, own.options) - own.log_probs).abs().max().item<double>();
}

double GrpoTrainer::TextSelfTest() const {
  if (text_ == nullptr) return 0;
  torch::NoGradGuard no_grad;
  const TextGroup own = OwnTexts();
  const torch::Tensor evaluated = policy_.ResponseLogProbs(
      policy_.PrefillQuestion(own.pixels, own.prompt_ids), own.responses, config_.rollout().temperature());
  return ((evaluated - own.log_probs) * own.mask).abs().max().item<double>();
}

}  // namespace lvrpo
