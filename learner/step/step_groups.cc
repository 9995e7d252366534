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
    Divide(*task, settings.mini_batches, ranks.size());
    for (MiniBatch& part : task->mini_batches) {
      for (const GroupTurn& turn : part.turns) {
        Entry* own = Own(*task, part, turn);
        const auto compute = [&] {
          const SampledGroup& group = groups[own->place].trajectories;
          const bool current = group.version.number() == step_version;
          own->objective = MakeObjective(group, models, settings, current);
        };
        const absl::Status status = TryToRun(
            [&] { work_.Contexts(task->kind, own == nullptr ? nullptr : GroupWork::Compute(compute)); });
        if (own == nullptr) continue;
        prefilled_[own->place] = status;
        if (own->objective != nullptr) part.terms += own->objective->terms();
      }
    }
  }
}

void StepGroups::Divide(Task& task, int mini_batches, int ranks) const {
  const size_t size = task.entries.size(), parts = static_cast<size_t>(mini_batches);
  for (size_t i = 0; i < parts; ++i) {
    const size_t begin = size * i / parts, end = size * (i + 1) / parts;
    std::vector<int> owners;
    for (size_t entry = begin; entry < end; ++entry) owners.push_back(task.entries[entry].rank);
    task.mini_batches.push_back({begin, end - begin, TurnsOf(owners, ranks)});
  }
}

StepGroups::Entry* StepGroups::Own(Task& task, const MiniBatch& part, const GroupTurn& turn) const {
  const std::optional<size_t>& own = turn[static_cast<size_t>(rank_)];
  return own.has_value() ? &task.entries[part.begin + *own] : nullptr;
}

absl::Status StepGroups::ShareTerms(const StepRanks& ranks) {
  std::vector<double> terms;
  for (const Task* task : {&images_, &texts_}) {
    for (const MiniBatch& part : task->mini_batches) terms.push_back(part.terms);
  }
  if (absl::Status status = ranks.Sum(terms); !status.ok()) return status;
  auto next = terms.begin();
  for (Task* task : {&images_, &texts_}) {
    for (MiniBatch& part : task->mini_batches) part.terms = *next++;
  }
  return absl::OkStatus();
}

void StepGroups::SetAdvantages(const std::vector<TrainingGroup>& groups, const AdvantageOptions& options,
                               const v1::RewardConfig& reward, int64_t steps, StepSums& sums) {
  for (Task* task : {&images_, &texts_}) {
    std::vector<const TrainingGroup*> sources;
    for (const Entry& entry : task->entries) sources.push_back(&groups[entry.place]);
    const std::vector<torch::Tensor> advantages = StepAdvantages(sources, options, reward, steps, sums);
    for (size_t i = 0; i < task->entries.size(); ++i) task->entries[i].advantages = advantages[i];
  }
}

std::vector<absl::Status> StepGroups::KeepOld(StepSums& sums) {
  std::vector<absl::Status> kept(prefilled_.size());
  for (Task* task : {&images_, &texts_}) {
    for (size_t i = 1; i < task->mini_batches.size(); ++i) {
      const MiniBatch& part = task->mini_batches[i];
      for (const GroupTurn& turn : part.turns) {
        Entry* own = Own(*task, part, turn);
        const auto compute = [&] { own->objective->KeepOld(sums); };
        const absl::Status status = TryToRun(
            [&] { work_.Evaluate(task->kind, own == nullptr ? nullptr : GroupWork::Compute(compute)); });
        if (own != nullptr) kept[own->place] = status;
      }
    }
  }
  return kept;
}

bool StepGroups::IsEmpty(int mini_batch) const {
  const auto i = static_cast<size_t>(mini_batch);
  return images_.mini_batches[i].size == 0 && texts_.mini_batches[i].size == 0;
}

void StepGroups::Backward(int mini_batch, bool first, StepSums& sums) {
  size_t before = 0;  // groups of the tasks before
  for (Task* task : {&images_, &texts_}) {
    const MiniBatch& part = task->mini_batches[static_cast<size_t>(mini_batch)];
    for (const GroupTurn& turn : part.turns) {
      GroupWork::Places places = turn;
      for (std::optional<size_t>& place : places) {
        if (place.has_value()) *place += before;
      }
      PausePoint("backward");
      Entry* own = Own(*task, part, turn);
      const auto compute = [&] { own->objective->Backward(own->advantages, first, part.terms, sums); };
      work_.Gradients(task->kind, places, own == nullptr ? nullptr : GroupWork::Compute(compute));
    }
    before += part.size;
  }
}

absl::Status StepGroups::FinishGradients(int mini_batch) {
  std::vector<int> owners;  // in the order in which they are added
  for (const Task* task : {&images_, &texts_}) {
    const MiniBatch& part = task->mini_batches[static_cast<size_t>(mini_batch)];
    for (size_t i = 0; i < part.size; ++i) owners.push_back(task->entries[part.begin + i].rank);
  }
  return work_.Finish(owners);
}

std::vector<absl::Status> StepGroups::TryAlone(bool first, TaskOptimizers& optimizers) {
  std::vector<absl::Status> alone(prefilled_.size());
  StepSums ignored;
  for (Task* task : {&images_, &texts_}) {
    for (const MiniBatch& part : task->mini_batches) {
      const bool sets_old = first && part.begin == 0;
      for (size_t i = part.begin; i < part.begin + part.size; ++i) {
        Entry& entry = task->entries[i];
        optimizers.ClearGradients();
        const auto compute = [&] {
          entry.objective->Backward(entry.advantages, sets_old, part.terms, ignored);
        };
        const bool own = entry.objective != nullptr;
        absl::Status status = TryToRun(
            [&] { work_.Alone(task->kind, entry.rank, own ? GroupWork::Compute(compute) : nullptr); });
        const bool finite = optimizers.GradientsAreFinite();
        if (status.ok() && !finite) status = absl::InvalidArgumentError("its gradients are not finite");
        if (own) alone[entry.place] = status;
      }
    }
  }
  optimizers.ClearGradients();
  return alone;
}

}  // namespace lvrpo
