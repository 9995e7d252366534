#include "learner/step/step_groups.h"

#include "common/thrown.h"
#include "learner/step/step_advantages.h"

namespace lvrpo {

StepGroups::StepGroups(const std::vector<TrainingGroup>& groups, const Policies& models,
                       const ObjectiveSettings& settings, int64_t step_version) {
  for (size_t place = 0; place < groups.size(); ++place) {
    const SampledGroup& group = groups[place].trajectories;
    const bool current = group.version.number() == step_version;
    std::vector<Entry>& entries = std::holds_alternative<ImageGroup>(group.samples) ? images_ : texts_;
    prefilled_.push_back(TryToRun([&] {
      entries.push_back({place, MakeObjective(group, models, settings, current), {}});
    }));
  }
}

double StepGroups::Terms(const std::vector<Entry>& entries) {
  double terms = 0;
  for (const Entry& entry : entries) terms += entry.objective->terms();
  return terms;
}

void StepGroups::SetAdvantages(const std::vector<TrainingGroup>& groups, const AdvantageOptions& options,
                               const v1::RewardConfig& reward, StepSums& sums) {
  for (std::vector<Entry>* entries : {&images_, &texts_}) {
    std::vector<const TrainingGroup*> sources;
    for (const Entry& entry : *entries) sources.push_back(&groups[entry.place]);
    const std::vector<torch::Tensor> advantages = StepAdvantages(sources, options, reward, sums);
    for (size_t i = 0; i < entries->size(); ++i) (*entries)[i].advantages = advantages[i];
  }
}

void StepGroups::Backward(bool first, StepSums& sums) {
  for (std::vector<Entry>* entries : {&images_, &texts_}) {
    const double terms = Terms(*entries);
    for (Entry& entry : *entries) entry.objective->Backward(entry.advantages, first, terms, sums);
  }
}

std::vector<absl::Status> StepGroups::TryAlone(bool first, TaskOptimizers& optimizers) {
  std::vector<absl::Status> alone(images_.size() + texts_.size());
  StepSums ignored;
  for (std::vector<Entry>* entries : {&images_, &texts_}) {
    const double terms = Terms(*entries);
    for (Entry& entry : *entries) {
      optimizers.ClearGradients();
      absl::Status& status = alone[entry.place];
      status = TryToRun([&] { entry.objective->Backward(entry.advantages, first, terms, ignored); });
      if (status.ok() && !optimizers.GradientsAreFinite())
        status = absl::InvalidArgumentError("its gradients are not finite");
    }
  }
  optimizers.ClearGradients();
  return alone;
}

}  // namespace lvrpo
