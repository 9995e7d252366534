#include "learner/step/step_groups.h"

#include "common/thrown.h"
#include "learner/step/step_advantages.h"

namespace lvrpo {

StepGroups::StepGroups(const std::vector<TrainingGroup>& groups, const Policies& models,
                       const ObjectiveSettings& settings, int64_t step_version, int rank) {
  for (size_t place = 0; place < groups.size(); ++place) {
    const SampledGroup& group = groups[place].trajectories;
    const bool current = group.version.number() == step_version;
    Task& task = std::holds_alternative<ImageGroup>(group.samples) ? images_ : texts_;
    Entry& entry = task.entries.emplace_back(Entry{place, groups[place].rank, nullptr, {}});
    prefilled_.push_back(TryToRun([&] {
      if (entry.rank == rank) entry.objective = MakeObjective(group, models, settings, current);
    }));
    if (entry.objective != nullptr) task.terms += entry.objective->terms();
  }
}

absl::Status StepGroups::ShareTerms(const StepRanks& ranks) {
  double terms[] = {images_.terms, texts_.terms};
  if (absl::Status status = ranks.Sum(terms); !status.ok()) return status;
  images_.terms = terms[0];
  texts_.terms = terms[1];
  return absl::OkStatus();
}

void StepGroups::SetAdvantages(const std::vector<TrainingGroup>& groups, const AdvantageOptions& options,
                               const v1::RewardConfig& reward, StepSums& sums) {
  for (Task* task : {&images_, &texts_}) {
    std::vector<const TrainingGroup*> sources;
    for (const Entry& entry : task->entries) sources.push_back(&groups[entry.place]);
    const std::vector<torch::Tensor> advantages = StepAdvantages(sources, options, reward, sums);
    for (size_t i = 0; i < task->entries.size(); ++i) task->entries[i].advantages = advantages[i];
  }
}

void StepGroups::Backward(bool first, StepSums& sums, GradientSum& gradients) {
  size_t added = 0;
  for (Task* task : {&images_, &texts_}) {
    for (Entry& entry : task->entries) {
      const size_t place = added++;
      if (entry.objective == nullptr) continue;
      entry.objective->Backward(entry.advantages, first, task->terms, sums);
      gradients.Add(place);
    }
  }
}

std::vector<int> StepGroups::Owners() const {
  std::vector<int> owners;
  for (const Task* task : {&images_, &texts_}) {
    for (const Entry& entry : task->entries) owners.push_back(entry.rank);
  }
  return owners;
}

std::vector<absl::Status> StepGroups::TryAlone(bool first, TaskOptimizers& optimizers) {
  std::vector<absl::Status> alone(prefilled_.size());
  StepSums ignored;
  for (Task* task : {&images_, &texts_}) {
    for (Entry& entry : task->entries) {
      if (entry.objective == nullptr) continue;
      optimizers.ClearGradients();
      absl::Status& status = alone[entry.place];
      status = TryToRun([&] { entry.objective->Backward(entry.advantages, first, task->terms, ignored); });
      if (status.ok() && !optimizers.GradientsAreFinite())
        status = absl::InvalidArgumentError("its gradients are not finite");
    }
  }
  optimizers.ClearGradients();
  return alone;
}

}  // namespace lvrpo
