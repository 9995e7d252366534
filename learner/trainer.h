#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "algorithm/advantages.h"
#include "learner/shards/sharded_models.h"
#include "learner/step/fault_finder.h"
#include "learner/step/objective.h"
#include "learner/step/self_test.h"
#include "learner/step/step_groups.h"
#include "learner/step/step_ranks.h"
#include "learner/step/task_optimizers.h"
#include "learner/step/training_group.h"
#include "model/bagel.h"
#include "proto/lvrpo/v1/config.pb.h"

namespace lvrpo {

// GRPO on complete groups (paper, equations 2, 3, 15): advantages from each group, the clipped surrogate of
// every image step and text token against log-probs that this trainer computed itself, KL to the frozen
// reference, one optimizer a task. Nothing here draws random numbers: equal groups in equal order give equal
// weights. Not thread-safe.
class GrpoTrainer {
 public:
  // Trains copies of the tensors that `config` names; `base` itself (LoadRunPolicy), without its adapters, is
  // the frozen reference.
  // FailedPrecondition when the trainable patterns match nothing, or the tasks' sets overlap; InvalidArgument
  // for names of losses that do not exist.
  static absl::StatusOr<std::unique_ptr<GrpoTrainer>> Create(const v1::RunConfig& config, Bagel base);

  struct StepResult {
    // Figures of the step by name: docs/operating.md lists them.
    std::map<std::string, double> metrics;
    // Unusable groups: they throw, or their gradients are not finite. Then no step was made and nothing has
    // changed.
    UnusableGroups unusable;
  };

  // One optimizer step (updates_per_step updates) from groups in a fixed order, as ReadGroup() reads them,
  // with a summary for each sample. `step_version` is the number of the weights before the step: groups of
  // that version must have ratio 1. An update whose gradients the policy itself makes non-finite changes
  // nothing ("nonfinite" is 1).
  // With several `ranks` all call it with the same groups, each with samples for those it has; results,
  // errors and weights are the same on all. Figures of experts are this rank's. OutOfRange: the update itself
  // left weights that are not finite. ResourceExhausted: the machine's fault. InvalidArgument: a group lacks
  // summaries. Aborted, Internal: those of StepRanks and CheckAlike. Nothing has changed then, except in the
  // cases of OutOfRange and Internal.
  absl::StatusOr<StepResult> Step(const std::vector<TrainingGroup>& groups, int64_t step_version,
                                  const StepRanks& ranks = StepRanks::Alone());

  // From here on this rank keeps its part of the weights and of the optimizers' state alone, and Step()
  // gathers what it computes with, layer by layer (learner/shards/sharded_models.h). All ranks call it, with
  // equal weights. `collectives`: null with one rank; it must outlive this.
  void Shard(Collectives* collectives, bool ordered);
  bool sharded() const { return sharded_ != nullptr; }
  // Sharded: gathers the optimizers' state for OptimizerState() on rank 0, until the next Step(). All ranks
  // call it. Aborted: the ranks have lost each other.
  absl::Status GatherOptimizers();

  // The step-0 invariant: a sample of the policy, evaluated here, has the same log-probs.
  absl::StatusOr<SelfTestResult> SelfTest() const;

  // The trained tensors, shared with the trainer. Sharded: copies in the host's memory, on rank 0 only, of
  // the newest step.
  const TensorMap& trained() const { return sharded() ? whole_ : trained_; }
  const Bagel& policy() const { return policy_; }

  // Optimizer states as named tensors, and back, and weights: before Shard() only, but for OptimizerState()
  // on rank 0 after GatherOptimizers(). The names and shapes do not depend on Shard().
  TensorMap OptimizerState() const { return sharded() ? whole_optimizers_ : optimizers_.State(); }
  absl::Status RestoreOptimizers(const TensorMap& state) { return optimizers_.Restore(state); }
  absl::Status RestoreWeights(const TensorMap& weights);

  // Updates in a row whose gradients were not finite; nothing was changed in them.
  int64_t nonfinite_in_a_row() const { return optimizers_.nonfinite_in_a_row(); }

 private:
  // A step in progress.
  struct Round {
    Round(const StepRanks& ranks, GroupWork& work, StepGroups& groups)
        : ranks(ranks), work(work), groups(groups) {}
    const StepRanks& ranks;
    GroupWork& work;
    StepGroups& groups;
    StepSums sums;
    std::map<std::string, double> figures = {{"nonfinite", 0}};
  };

  GrpoTrainer(v1::RunConfig config, Bagel reference, Bagel policy, TensorMap image, TensorMap text,
              ObjectiveSettings settings, AdvantageOptions advantages);
  Policies models() const { return {policy_, reference_}; }
  std::unique_ptr<GroupWork> MakeWork(const StepRanks& ranks);
  // All updates of a step. Groups that must be left out, with everything as it was before, or none.
  absl::StatusOr<UnusableGroups> TakeUpdates(Round& round);
  absl::StatusOr<UnusableGroups> TakeUpdate(Round& round, bool first);
  // The gradients of all ranks' groups. `together`: what computing them threw on any rank; then there are
  // none.
  absl::Status SumGradients(Round& round, bool first, absl::Status& together);
  // FindUnusable() with what all ranks found.
  absl::StatusOr<UnusableGroups> Unusable(Round& round, const absl::Status& together,
                                          std::vector<absl::Status> alone);
  // The sum of all trained weights (SumOf), the same on all ranks.
  absl::StatusOr<double> SumOfWeights(const StepRanks& ranks) const;
  // Makes all that depends on the masters what they are, after an update or a way back.
  absl::Status Refresh();

  const v1::RunConfig config_;
  const ObjectiveSettings settings_;
  const AdvantageOptions advantages_;
  Bagel reference_, policy_;
  TensorMap trained_;  // what the optimizers change: tensors, or this rank's parts
  TaskOptimizers optimizers_;
  std::unique_ptr<ShardedModels> sharded_;  // null: every rank has all weights
  TensorMap whole_, whole_optimizers_;      // sharded, rank 0
};

}  // namespace lvrpo
