#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "algorithm/advantages.h"
#include "learner/step/group_work.h"
#include "learner/step/objective.h"
#include "learner/step/step_ranks.h"
#include "learner/step/task_optimizers.h"
#include "learner/step/training_group.h"

namespace lvrpo {

// By rank: the index of the group that it computes in a turn; nullopt: it has none left.
using GroupTurn = std::vector<std::optional<size_t>>;
// The turns of groups with these owners: each rank takes its own in their order.
std::vector<GroupTurn> TurnsOf(const std::vector<int>& owners, int ranks);

// The groups of one step, as their gradients are computed: all image groups, then all text groups, each task
// in the order given. A task's loss is the mean over the terms of all of its groups, on whatever rank they
// are; each rank computes the gradients of those it has. Ranks take turns together: in turn k of a task each
// computes the k-th group of the task that it has, if any (GroupWork).
class StepGroups {
 public:
  // `step_version`: the number of the weights before the step. Groups must outlive the constructor only; the
  // models, settings and `work` must outlive the object. Only groups of this rank have samples.
  StepGroups(const std::vector<TrainingGroup>& groups, const Policies& models,
             const ObjectiveSettings& settings, int64_t step_version, const StepRanks& ranks,
             GroupWork& work);

  bool has_images() const { return !images_.entries.empty(); }
  bool has_texts() const { return !texts_.entries.empty(); }
  // By a group's place in what the constructor was given: OK, or what computing its contexts threw. When any
  // failed, nothing else may be called. OK for groups of other ranks, here and in TryAlone().
  const std::vector<absl::Status>& prefilled() const { return prefilled_; }

  // Sets the advantages of all groups, each task by itself (StepAdvantages).
  void SetAdvantages(const std::vector<TrainingGroup>& groups, const AdvantageOptions& options,
                     const v1::RewardConfig& reward, StepSums& sums);
  // Sums the terms that losses are a mean over, over ranks. Before any gradient is computed.
  absl::Status ShareTerms(const StepRanks& ranks);
  // Adds the gradients of all groups. Throws what LibTorch throws.
  void Backward(bool first, StepSums& sums);
  // Makes them the parameters': GroupWork::Finish.
  absl::Status FinishGradients();
  // What the gradients of each group by itself say, by its place: OK, InvalidArgument when they are not
  // finite, or what was thrown. Leaves no gradients.
  std::vector<absl::Status> TryAlone(bool first, TaskOptimizers& optimizers);

 private:
  struct Entry {
    size_t place;  // in what the constructor was given
    int rank;
    std::unique_ptr<GroupObjective> objective;  // null: another rank's
    torch::Tensor advantages;
  };
  // The groups of one task.
  struct Task {
    GroupTask kind;
    std::vector<Entry> entries;
    double terms = 0;
    std::vector<GroupTurn> turns = {};
  };
  // Its group in a turn; null: it has none.
  Entry* Own(Task& task, const GroupTurn& turn) const;
  // The ranks of all groups, in the order in which they are added.
  std::vector<int> Owners() const;

  const int rank_;
  GroupWork& work_;
  Task images_ = {.kind = GroupTask::kImage, .entries = {}};
  Task texts_ = {.kind = GroupTask::kText, .entries = {}};
  std::vector<absl::Status> prefilled_;
};

}  // namespace lvrpo
