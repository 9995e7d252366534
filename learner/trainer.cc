#include "learner/trainer.h"

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
                                                          int64_t step_version) {
  if (absl::Status status = CheckSummaries(groups, config_.rollout().group_size()); !status.ok())
    return status;
  StepResult result;
  StepSums sums;
  StepGroups step(groups, models(), settings_, step_version);
  absl::Status read;
  for (const absl::Status& status : step.prefilled()) read.Update(status);
  if (!read.ok()) {
    const absl::Status policy = Probe();
    if (absl::IsOutOfRange(policy)) return policy;
    absl::StatusOr<UnusableGroups> unusable = FindUnusable(read, step.prefilled(), policy);
    if (!unusable.ok()) return unusable.status();
    result.unusable = *std::move(unusable);
    return result;
  }
  step.SetAdvantages(groups, advantages_, config_.reward(), sums);

  const ExpertLoad load;
  std::map<std::string, double> figures = {{"nonfinite", 0}};
  absl::StatusOr<UnusableGroups> unusable = TakeUpdates(step, sums, figures);
  if (!unusable.ok()) return unusable.status();
  result.unusable = *std::move(unusable);
  if (!result.unusable.empty()) return result;
  if (!AreFinite(trained_)) return absl::OutOfRangeError("an update left weights that are not finite");

  result.metrics = StepFigures(sums, step.has_images(), step.has_texts());
  result.metrics.merge(figures);
  result.metrics["staleness"] = MeanAge(groups, step_version);
  if (config_.train().updates_per_step() > 1)
    result.metrics["ratio_deviation_later_updates"] = sums.ratio_deviation_late;
  if (policy_.config().router.top_k) result.metrics.merge(ExpertFigures(load));
  return result;
}

absl::StatusOr<UnusableGroups> GrpoTrainer::TakeUpdates(StepGroups& step, StepSums& sums,
                                                        std::map<std::string, double>& figures) {
  const int updates = config_.train().updates_per_step();
  TensorMap weights, optimizers;  // before the step; only a later update has something to take back
  if (updates > 1) weights = CloneTensors(trained_), optimizers = OptimizerState();
  for (int update = 0; update < updates; ++update) {
    absl::StatusOr<UnusableGroups> unusable = TakeUpdate(step, update == 0, sums, figures);
    if (unusable.ok() && unusable->empty()) continue;
    if (update > 0) {
      if (absl::Status status = RestoreWeights(weights); !status.ok()) return status;
      if (absl::Status status = RestoreOptimizers(optimizers); !status.ok()) return status;
    }
    return unusable;
  }
  return UnusableGroups();
}

absl::StatusOr<UnusableGroups> GrpoTrainer::TakeUpdate(StepGroups& step, bool first, StepSums& sums,
                                                       std::map<std::string, double>& figures) {
  optimizers_.ClearGradients();
  const absl::Status together = TryToRun([&] { step.Backward(first, sums); });
  if (together.ok() && optimizers_.GradientsAreFinite()) {
    optimizers_.Step(figures);
    return UnusableGroups();
  }
  const std::vector<absl::Status> alone = step.TryAlone(first, optimizers_);
  absl::StatusOr<UnusableGroups> unusable = FindUnusable(together, alone, Probe());
  if (unusable.ok() && unusable->empty()) optimizers_.Skip(figures);
  return unusable;
}

absl::Status GrpoTrainer::Probe() { return ProbePolicy(models(), settings_, config_, trained_, optimizers_); }

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
