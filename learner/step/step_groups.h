#pragma once

#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "algorithm/advantages.h"
#include "learner/step/objective.h"
#include "learner/step/task_optimizers.h"
#include "learner/step/training_group.h"

namespace lvrpo {

// The groups of one step, as their gradients are computed: all image groups, then all text groups, each task
// in the order given. A task's loss is the mean over the terms of all of its groups.
class StepGroups {
 public:
  // `step_version`: the number of the weights before the step. Groups must outlive the constructor only; the
  // models and settings must outlive the object.
  StepGroups(const std::vector<TrainingGroup>& groups, const Policies& models,
             const ObjectiveSettings& settings, int64_t step_version);

  bool has_images() const { return !images_.empty(); }
  bool has_texts() const { return !texts_.empty(); }
  // By a group's place in what the constructor was given: OK, or what computing its contexts threw. When any
  // failed, nothing else may be called.
  const std::vector<absl::Status>& prefilled() const { return prefilled_; }

  // Sets the advantages of all groups, each task by itself (StepAdvantages).
  void SetAdvantages(const std::vector<TrainingGroup>& groups, const AdvantageOptions& options,
                     const v1::RewardConfig& reward, StepSums& sums);
  // Adds the gradients of the whole step. Throws what LibTorch throws.
  void Backward(bool first, StepSums& sums);
  // What the gradients of each group by itself say, by its place: OK, InvalidArgument when they are not
  // finite, or what was thrown. Leaves no gradients.
  std::vector<absl::Status> TryAlone(bool first, TaskOptimizers& optimizers);

 private:
  struct Entry {
    size_t place;
    std::unique_ptr<GroupObjective> objective;
    torch::Tensor advantages;
  };
  static double Terms(const std::vector<Entry>& entries);

  std::vector<Entry> images_, texts_;
  std::vector<absl::Status> prefilled_;
};

}  // namespace lvrpo
