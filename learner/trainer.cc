#include "learner/trainer.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/thrown.h"
#include "learner/step/step_advantages.h"
#include "policy/contract.h"

namespace lvrpo {
namespace {

double MeanAge(const std::vector<TrainingGroup>& groups, int64_t step_version) {
  double age = 0;
  for (const TrainingGroup& group : groups)
    age += static_cast<double>(step_version - group.trajectories.version.number());
  return age / static_cast<double>(groups.size());
}

}  // namespace

GrpoTrainer::GrpoTrainer(v1::RunConfig config, Bagel reference, Bagel policy, TensorMap image, TensorMap text,
                         ObjectiveSettings settings, AdvantageOptions advantages)
    : config_(std::move(config)),
      settings_(std::move(settings)),
      advantages_(std::move(advantages)),
      reference_(std::move(reference)),
      policy_(std::move(policy)),
      trained_(image),
      optimizers_(std::move(image), text, config_.train()) {
  trained_.merge(text);
}

absl::StatusOr<std::unique_ptr<GrpoTrainer>> GrpoTrainer::Create(const v1::RunConfig& config, Bagel base) {
  const absl::StatusOr<TrainedTensors> selected = SelectTrainedTensors(config, base);
  if (!selected.ok()) return selected.status();
  for (const auto& [name, tensor] : selected->image) {
    if (selected->text.contains(name)) {
      return absl::FailedPreconditionError(absl::StrCat(
          "train.image.trainable and train.text.trainable both match ", name, ": give it to one of them"));
    }
  }
  TensorMap image = CloneTensors(selected->image), text = CloneTensors(selected->text), trained = image;
  trained.insert(text.begin(), text.end());
  absl::StatusOr<Bagel> policy = base.WithTensors(trained, "the policy");
  if (!policy.ok()) return policy.status();
  absl::StatusOr<Bagel> reference =
      Bagel::Create(base.config(), WithoutLora(base.tensors()), "the reference");
  if (!reference.ok()) return reference.status();
  absl::StatusOr<ObjectiveSettings> settings = ObjectiveSettingsOf(config);
  if (!settings.ok()) return settings.status();
  absl::StatusOr<AdvantageOptions> advantages = AdvantageOptionsOf(config.train());
  if (!advantages.ok()) return advantages.status();
  return std::unique_ptr<GrpoTrainer>(new GrpoTrainer(config, *std::move(reference), *std::move(policy),
                                                      std::move(image), std::move(text), *std::move(settings),
                                                      *std::move(advantages)));
}

absl::StatusOr<GrpoTrainer::StepResult> GrpoTrainer::Step(const std::vector<TrainingGroup>& groups,
                                                          int64_t step_version, const StepRanks& ranks) {
  if (absl::Status status = CheckSummaries(groups, config_.rollout().group_size()); !status.ok())
    return status;
  StepResult result;
  StepSums sums;
  StepGroups step(groups, models(), settings_, step_version, ranks.rank());
  absl::Status read;
  for (const absl::Status& status : step.prefilled()) read.Update(status);
  if (absl::Status status = ShareStatus(ranks, read); !status.ok()) return status;
  if (!read.ok()) {
    absl::StatusOr<UnusableGroups> unusable = Unusable(ranks, read, step.prefilled());
    if (!unusable.ok()) return unusable.status();
    // With no group at fault the policy is, and contexts that it cannot compute are no step to skip.
    if (unusable->empty()) return absl::OutOfRangeError("the policy cannot compute the contexts of prompts");
    result.unusable = *std::move(unusable);
    return result;
  }
  if (absl::Status status = step.ShareTerms(ranks); !status.ok()) return status;
  step.SetAdvantages(groups, advantages_, config_.reward(), sums);

  const ExpertLoad load;
  std::map<std::string, double> figures = {{"nonfinite", 0}};
  absl::StatusOr<UnusableGroups> unusable = TakeUpdates(step, ranks, sums, figures);
  if (!unusable.ok()) return unusable.status();
  result.unusable = *std::move(unusable);
  if (!result.unusable.empty()) return result;
  const double weights = SumOf(trained_);
  if (absl::Status status = CheckAlike(ranks, weights, "weights"); !status.ok()) return status;
  if (!std::isfinite(weights)) return absl::OutOfRangeError("an update left weights that are not finite");
  if (absl::Status status = AddOverRanks(ranks, sums); !status.ok()) return status;

  result.metrics = StepFigures(sums, step.has_images(), step.has_texts());
  result.metrics.merge(figures);
  result.metrics["staleness"] = MeanAge(groups, step_version);
  if (config_.train().updates_per_step() > 1)
    result.metrics["ratio_deviation_later_updates"] = sums.ratio_deviation_late;
  if (policy_.config().router.top_k) result.metrics.merge(ExpertFigures(load));
  return result;
}

absl::StatusOr<UnusableGroups> GrpoTrainer::TakeUpdates(StepGroups& step, const StepRanks& ranks,
                                                        StepSums& sums,
                                                        std::map<std::string, double>& figures) {
  const int updates = config_.train().updates_per_step();
  TensorMap weights, optimizers;  // before the step; only a later update has something to take back
  if (updates > 1) weights = CloneTensors(trained_), optimizers = OptimizerState();
  for (int update = 0; update < updates; ++update) {
    absl::StatusOr<UnusableGroups> unusable = TakeUpdate(step, ranks, update == 0, sums, figures);
    if (unusable.ok() && unusable->empty()) continue;
    if (update > 0) {
      if (absl::Status status = RestoreWeights(weights); !status.ok()) return status;
      if (absl::Status status = RestoreOptimizers(optimizers); !status.ok()) return status;
    }
    return unusable;
  }
  return UnusableGroups();
}

absl::StatusOr<UnusableGroups> GrpoTrainer::TakeUpdate(StepGroups& step, const StepRanks& ranks, bool first,
                                                       StepSums& sums,
                                                       std::map<std::string, double>& figures) {
  absl::Status together;
  if (absl::Status status = SumGradients(step, ranks, first, sums, together); !status.ok()) return status;
  if (together.ok() && optimizers_.GradientsAreFinite()) {
    optimizers_.Step(figures);
    return UnusableGroups();
  }
  absl::StatusOr<UnusableGroups> unusable = Unusable(ranks, together, step.TryAlone(first, optimizers_));
  if (unusable.ok() && unusable->empty()) optimizers_.Skip(figures);
  return unusable;
}

absl::Status GrpoTrainer::SumGradients(StepGroups& step, const StepRanks& ranks, bool first, StepSums& sums,
                                       absl::Status& together) {
  optimizers_.ClearGradients();
  GradientSum gradients(trained_, ranks);
  together = TryToRun([&] { step.Backward(first, sums, gradients); });
  if (absl::Status status = ShareStatus(ranks, together); !status.ok() || !together.ok()) return status;
  absl::Status summed;
  together = TryToRun([&] { summed = gradients.Finish(step.Owners()); });
  return summed;
}

absl::StatusOr<UnusableGroups> GrpoTrainer::Unusable(const StepRanks& ranks, const absl::Status& together,
                                                     std::vector<absl::Status> alone) {
  absl::Status policy = ProbePolicy(models(), settings_, config_, trained_, optimizers_);
  if (absl::Status status = ShareStatuses(ranks, alone); !status.ok()) return status;
  if (absl::Status status = ShareStatus(ranks, policy); !status.ok()) return status;
  return FindUnusable(together, alone, policy);
}

absl::StatusOr<SelfTestResult> GrpoTrainer::SelfTest() const {
  return TestOwnLogProbs(models(), settings_, config_, optimizers_.trains_images(),
                         optimizers_.trains_texts());
}

absl::Status GrpoTrainer::RestoreWeights(const TensorMap& weights) {
  ShapeMap shapes;
  for (const auto& [name, tensor] : trained_) shapes[name] = tensor.sizes().vec();
  if (absl::Status status = CheckTensors(shapes, weights, "the checkpoint"); !status.ok()) return status;
  torch::NoGradGuard no_grad;
  for (auto& [name, tensor] : trained_) tensor.copy_(weights.at(name));
  return absl::OkStatus();
}

}  // namespace lvrpo
