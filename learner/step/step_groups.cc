#include "learner/step/step_groups.h"

#include "common/pause_point.h"
#include "common/thrown.h"
#include "learner/step/step_advantages.h"

namespace lvrpo {

std::vector<GroupTurn> TurnsOf(const std::vector<int>& owners, int ranks) {
  std::vector<GroupTurn> turns;
  std::vector<size_t> taken(static_cast<size_t>(ranks));
  for (size_t i = 0; i < owners.size(); ++i) {
    const auto rank = static_cast<size_t>(owners[i]);
    const size_t turn = taken.at(rank)++;
    if (turn == turns.size()) turns.emplace_back(taken.size());
    turns[turn][rank] = i;
  }
  return turns;
}

StepGroups::StepGroups(const std::vector<TrainingGroup>& groups, const Policies& models,
                       const ObjectiveSettings& settings, int64_t step_version, const StepRanks& ranks,
                       GroupWork& work)
    : rank_(ranks.rank()), work_(work), prefilled_(groups.size()) {
  for (size_t place = 0; place < groups.size(); ++place) {
    const bool image = std::holds_alternative<ImageGroup>(groups[place].trajectories.samples);
    (image ? images_ : texts_).entries.push_back({place, groups[place].rank, nullptr, {}});
  }
  for (Task* task : {&images_, &texts_}) {
    std::vector<int> owners;
    for (const Entry& entry : task->entries) owners.push_back(entry.rank);
    task->turns = TurnsOf(owners, ranks.size());
    for (const GroupTurn& turn : task->turns) {
      Entry* own = Own(*task, turn);
      const auto compute = [&] {
        const SampledGroup& group = groups[own->place].trajectories;
        const bool current = group.version.number() == step_version;
        own->objective = MakeObjective(group, models, settings, current);
      };
      const absl::Status status = TryToRun(
          [&] { work_.Contexts(task->kind, own == nullptr ? nullptr : GroupWork::Compute(compute)); });
      if (own == nullptr) continue;
      prefilled_[own->place] = status;
      if (own->objective != nullptr) task->terms += own->objective->terms();
    }
  }
}

StepGroups::Entry* StepGroups::Own(Task& task, const GroupTurn& turn) const {
  const std::optional<size_t>& own = turn[static_cast<size_t>(rank_)];
  return own.has_value() ? &task.entries[*own] : nullptr;
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

void StepGroups::Backward(bool first, StepSums& sums) {
  size_t before = 0;  // groups of the tasks before
  for (Task* task : {&images_, &texts_}) {
    for (const GroupTurn& turn : task->turns) {
      GroupWork::Places places = turn;
      for (std::optional<size_t>& place : places) {
        if (place.has_value()) *place += before;
      }
      PausePoint("backward");
      Entry* own = Own(*task, turn);
      const auto compute = [&] { own->objective->Backward(own->advantages, first, task->terms, sums); };
      work_.Gradients(task->kind, places, own == nullptr ? nullptr : GroupWork::Compute(compute));
    }
    before += task->entries.size();
  }
}

absl::Status StepGroups::FinishGradients() { return work_.Finish(Owners()); }

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
      optimizers.ClearGradients();
      const auto compute = [&] { entry.objective->Backward(entry.advantages, first, task->terms, ignored); };
      const bool own = entry.objective != nullptr;
      absl::Status status =
          TryToRun([&] { work_.Alone(task->kind, entry.rank, own ? GroupWork::Compute(compute) : nullptr); });
      const bool finite = optimizers.GradientsAreFinite();
      if (status.ok() && !finite) status = absl::InvalidArgumentError("its gradients are not finite");
      if (own) alone[entry.place] = status;
    }
  }
  optimizers.ClearGradients();
  return alone;
}

}  // namespace lvrpo
