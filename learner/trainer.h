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
  // Trains fp32 copies of the tensors that `config` names, the masters; `base` itself (LoadRunPolicy),
  // without its adapters, is the frozen reference. With learner.sharded nothing is copied until Shard(),
  // which comes before Step(). Errors of SelectTrainedTensors; InvalidArgument for names of losses that do
  // not exist.
  static absl::StatusOr<std::unique_ptr<GrpoTrainer>> Create(const v1::RunConfig& config, Bagel base);

  struct StepResult {
    // Figures of the step by name: docs/operating.md lists them.
    std::map<std::string, double> metrics;
    // Unusable groups: they throw, or their gradients are not finite. Then no step was made and nothing has
    // changed.
    UnusableGroups unusable;
  };

  // One optimizer step (updates_per_step times mini_batches updates) from groups in a fixed order, as
  // ReadGroup() reads them, with a summary for each sample. `step_version` is the number of the weights
  // before the step: groups of that version must have ratio 1. An update whose gradients the policy itself
  // makes non-finite changes nothing ("nonfinite" is 1). With several `ranks` all call it with the same
  // groups, each with samples for those it has; results, errors and weights are the same on all. OutOfRange:
  // the update itself left weights that are not finite. ResourceExhausted: the machine's fault.
  // InvalidArgument: a group lacks summaries. Aborted, Internal: those of StepRanks and CheckAlike. Nothing
  // has changed then, except in the cases of OutOfRange and Internal.
  absl::StatusOr<StepResult> Step(const std::vector<TrainingGroup>& groups, int64_t step_version,
                                  const StepRanks& ranks = StepRanks::Alone());

  // From here on this rank keeps its part of the weights and of the optimizers' state alone, and Step()
  // gathers what it computes with, layer by layer (learner/shards/sharded_models.h). With learner.offload
  // masters and state stay in the host's memory. All ranks call it once, with equal weights, in a run with
  // learner.sharded. `collectives`: null with one rank; it must outlive this.
  void Shard(Collectives* collectives, bool ordered);
  bool sharded() const { return sharded_ != nullptr; }
  // Sharded: gathers the optimizers' state for OptimizerState() on rank 0, until the next Step(). All ranks
  // call it. Aborted: the ranks have lost each other.
  absl::Status GatherOptimizers();

  // The step-0 invariant: a sample of the policy, evaluated here, has the same log-probs.
  absl::StatusOr<SelfTestResult> SelfTest() const;

  // The trained tensors, shared with the trainer. Sharded: fp32 copies of the newest step in the host's
  // memory, on rank 0 only; before Shard() those of `base`, in its dtype, or what was restored.
  const TensorMap& trained() const { return sharded() ? whole_ : trained_; }
  const Bagel& policy() const { return policy_; }

  // Optimizer states as named tensors, and back, and weights: before Shard() only, but for OptimizerState()
  // on rank 0 after GatherOptimizers(). The names and shapes do not depend on Shard().
  TensorMap OptimizerState() const { return sharded() ? whole_optimizers_ : optimizers_.State(); }
  // They keep the tensors until Shard(). DataLoss when they do not fit.
  absl::Status RestoreOptimizers(const TensorMap& state);
  absl::Status RestoreWeights(const TensorMap& weights);

  // The weights and the optimizers' state that this rank has, as pieces of tensors
  // (learner/copies/state_slices.h): sharded, its parts; otherwise all of them. Shares the trainer's memory.
  TensorMap StatePieces() const;
  // Those of other ranks, copied, by rank. Sharded only; all ranks call it, each with the ranks that it
  // wants.
  absl::StatusOr<std::map<int, TensorMap>> GatherStatePieces(const std::vector<int>& of) const;

  // Updates in a row whose gradients were not finite; nothing was changed in them.
  int64_t nonfinite_in_a_row() const { return optimizers_.nonfinite_in_a_row(); }
  // What was not finite in the newest of them: parameters by name, or what computing them threw.
  const std::string& nonfinite_cause() const { return nonfinite_cause_; }

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
  bool awaits_shard() const { return config_.learner().sharded() && !sharded(); }
  std::unique_ptr<GroupWork> MakeWork(const StepRanks& ranks);
  // Groups that cannot be computed, by what each rank `found` of its own: none when all could.
  absl::StatusOr<UnusableGroups> Failed(Round& round, const std::vector<absl::Status>& found);
  // All updates of a step. Groups that must be left out, with everything as it was before, or none.
  absl::StatusOr<UnusableGroups> TakeUpdates(Round& round);
  absl::StatusOr<UnusableGroups> TakeUpdate(Round& round, int mini_batch, bool first);
  // The gradients of all ranks' groups. `together`: what computing them threw on any rank; then there are
  // none.
  absl::Status SumGradients(Round& round, int mini_batch, bool first, absl::Status& together);
  // "gradients of a.weight and 3 more", where NameNonFinite() named these on this rank, or where another
  // rank's are to be found.
  absl::StatusOr<std::string> NonFinite(const StepRanks& ranks, const char* what,
                                        const std::string& own) const;
  // FindUnusable() with what all ranks found.
  absl::StatusOr<UnusableGroups> Unusable(Round& round, const absl::Status& together,
                                          std::vector<absl::Status> alone);
  // The sum of all trained weights (SumOf), the same on all ranks.
  absl::StatusOr<double> SumOfWeights(const StepRanks& ranks) const;
  // Masters ("weights/<name>") and the optimizers' state by the names of what they step, not copied.
  TensorMap NamedState() const;
  // Makes all that depends on the masters what they are, after an update or a way back.
  absl::Status Refresh();

  const v1::RunConfig config_;
  const ObjectiveSettings settings_;
  const AdvantageOptions advantages_;
  Bagel reference_, policy_;
  // Until Shard(): what it takes parts of. No state: none was restored.
  struct Uncut {
    TensorMap image, text, state;
  };
  Uncut uncut_;
  TensorMap trained_;  // what the optimizers change: tensors, or this rank's parts
  TaskOptimizers optimizers_;
  std::unique_ptr<ShardedModels> sharded_;  // null: every rank has all weights
  TensorMap whole_, whole_optimizers_;      // sharded, rank 0
  std::string nonfinite_cause_;
};

}  // namespace lvrpo
