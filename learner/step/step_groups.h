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
// in the order given. The groups of each task are divided into mini-batches of neighbours, of about the same
// number. An update is of one mini-batch of each task: a task's loss is the mean over the terms of its groups
// in the mini-batch, on whatever rank they are, and each rank computes the gradients of those it has. Ranks
// take turns together: in turn k of a task each computes the k-th group of the task that it has, if any
// (GroupWork).
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

  // Sets the advantages of all groups, each task by itself (StepAdvantages), in the step after `steps`
  // others.
  void SetAdvantages(const std::vector<TrainingGroup>& groups, const AdvantageOptions& options,
                     const v1::RewardConfig& reward, int64_t steps, StepSums& sums);
  // Sums the terms that losses are a mean over, over ranks. Before any gradient is computed.
  absl::Status ShareTerms(const StepRanks& ranks);
  // Computes the old log-probs of all groups but those of mini-batch 0, before the first update: by place, OK
  // or what was thrown.
  std::vector<absl::Status> KeepOld(StepSums& sums);
  // Whether no task has groups in a mini-batch.
  bool IsEmpty(int mini_batch) const;
  // Adds the gradients of a mini-batch. `first`: of the step, mini-batch 0. Throws what LibTorch throws.
  void Backward(int mini_batch, bool first, StepSums& sums);
  // Makes them the parameters': GroupWork::Finish.
  absl::Status FinishGradients(int mini_batch);
  // What the gradients of each group by itself say, by its place: OK, InvalidArgument when they are not
  // finite, or what was thrown. Leaves no gradients. `first`: as in the Backward() before.
  std::vector<absl::Status> TryAlone(bool first, TaskOptimizers& optimizers);

 private:
  struct Entry {
    size_t place;  // in what the constructor was given
    int rank;
    std::unique_ptr<GroupObjective> objective;  // null: another rank's
    torch::Tensor advantages;
  };
  // Entries begin .. begin + size - 1 of a task; turns count from `begin`.
  struct MiniBatch {
    size_t begin, size;
    std::vector<GroupTurn> turns;
    double terms = 0;
  };
  // The groups of one task.
  struct Task {
    GroupTask kind;
    std::vector<Entry> entries;
    std::vector<MiniBatch> mini_batches = {};
  };
  void Divide(Task& task, int mini_batches, int ranks) const;
  // Its group in a turn; null: it has none.
  Entry* Own(Task& task, const MiniBatch& part, const GroupTurn& turn) const;

  const int rank_;
  GroupWork& work_;
  Task images_ = {.kind = GroupTask::kImage, .entries = {}};
  Task texts_ = {.kind = GroupTask::kText, .entries = {}};
  std::vector<absl::Status> prefilled_;
};

}  // namespace lvrpo
