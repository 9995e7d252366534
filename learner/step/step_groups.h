#pragma once

#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "algorithm/advantages.h"
#include "learner/step/gradient_sum.h"
#include "learner/step/objective.h"
#include "learner/step/step_ranks.h"
#include "learner/step/task_optimizers.h"
#include "learner/step/training_group.h"

namespace lvrpo {

// The groups of one step, as their gradients are computed: all image groups, then all text groups, each task
// in the order given. A task's loss is the mean over the terms of all of its groups, on whatever rank they
// are; each rank computes the gradients of those it has.
class StepGroups {
 public:
  // `step_version`: the number of the weights before the step. Groups must outlive the constructor only; the
  // models and settings must outlive the object. `rank`: this process's; only its groups have samples.
  StepGroups(const std::vector<TrainingGroup>& groups, const Policies& models,
             const ObjectiveSettings& settings, int64_t step_version, int rank = 0);

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
  // Adds the gradients of this rank's groups. Throws what LibTorch throws.
  void Backward(bool first, StepSums& sums, GradientSum& gradients);
  // The ranks of all groups, in the order in which they are added: the owners of GradientSum::Finish.
  std::vector<int> Owners() const;
  // What the gradients of each group by itself say, by its place: OK, InvalidArgument when they are not
  // finite, or what was thrown. Leaves no gradients.
  std::vector<absl::Status> TryAlone(bool first, TaskOptimizers& optimizers);

 private:
  struct Entry {
    size_t place;
    int rank;
    std::unique_ptr<GroupObjective> objective;  // null: another rank's
    torch::Tensor advantages;
  };
  // The groups of one task.
  struct Task {
    std::vector<Entry> entries;
    double terms = 0;
  };

  Task images_, texts_;
  std::vector<absl::Status> prefilled_;
};

}  // namespace lvrpo
