#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "algorithm/advantages.h"
#include "algorithm/image_loss.h"
#include "algorithm/image_sampler.h"
#include "algorithm/optimizer.h"
#include "algorithm/text_loss.h"
#include "learner/step_figures.h"
#include "learner/verdict.h"
#include "model/bagel.h"
#include "policy/contract.h"
#include "proto/lvrpo/v1/config.pb.h"
#include "proto/lvrpo/v1/trajectory.pb.h"

namespace lvrpo {

// GRPO on complete groups (paper, equations 2, 3, 15): advantages from each group, the clipped surrogate of
// every image step and text token against log-probs that this trainer computed itself, KL to the frozen
// reference, one optimizer a task. Nothing here draws random numbers: equal groups in equal order give equal
// weights. Not thread-safe.
class GrpoTrainer {
 public:
  // Trains copies of the tensors that `config` names; `base` itself (LoadRunPolicy), without its adapters, is
  // the frozen reference.
  // FailedPrecondition when the trainable patterns match nothing, or the tasks' sets overlap.
  static absl::StatusOr<std::unique_ptr<GrpoTrainer>> Create(const v1::RunConfig& config, Bagel base);

  struct StepResult {
    // Figures of the step by name: docs/operating.md lists them.
    std::map<std::string, double> metrics;
    // Unusable groups by index, and why: they throw, or their gradients are not finite. Then no step was made
    // and nothing has changed.
    std::map<size_t, std::string> unusable;
  };

  // One optimizer step (updates_per_step updates) from groups in a fixed order, which CheckGroup() accepts.
  // `step_version` is the version of the weights before the step: groups of that version must have ratio 1.
  // An update whose gradients the policy itself makes non-finite changes nothing ("nonfinite" is 1).
  // OutOfRange: the update itself left weights that are not finite. ResourceExhausted: the machine's fault.
  // Nothing has changed then, except in the case of OutOfRange.
  absl::StatusOr<StepResult> Step(const std::vector<v1::TrajectoryGroup>& groups, int64_t step_version);

  // The step-0 invariant: an image sampled and evaluated here has the same log-probs. Returns the largest
  // difference; 0 on the CPU.
  double SelfTest() const;
  // The same for text, which is sampled token by token and evaluated in one pass: the last bits differ.
  double TextSelfTest() const;

  // The trained tensors, shared with the trainer.
  const TensorMap& trained() const { return trained_; }
  const Bagel& policy() const { return policy_; }

  // Optimizer states as named tensors, and back. Weights are restored by RestoreWeights.
  TensorMap OptimizerState() const;
  absl::Status RestoreOptimizers(const TensorMap& state);
  absl::Status RestoreWeights(const TensorMap& weights);

  // Steps in a row whose gradients were not finite; nothing was changed in them.
  int64_t nonfinite_in_a_row() const;

 private:
  struct ImageGroup {
    KvCache context, reference_context;
    ImageSampleOptions options;
    int64_t grid_h = 0, grid_w = 0;
    torch::Tensor latents;     // [G, k + 1, N, D]
    torch::Tensor log_probs;   // [G, k] float64: the sampler's
    torch::Tensor old;         // [G, k] float64: ours, before the first update
    torch::Tensor old_means;   // [G, k, N, D], of the steps before the first update; grpo_guard only
    torch::Tensor advantages;  // [G]
    bool current = false;      // sampled with the weights before this step
  };
  struct TextGroup {
    torch::Tensor pixels;
    std::vector<int32_t> prompt_ids;
    torch::Tensor responses;       // int64 [G, T], padded with eos
    torch::Tensor mask;            // [G, T]
    torch::Tensor log_probs;       // [G, T] the sampler's
    torch::Tensor old, reference;  // [G, T]
    torch::Tensor advantages;      // [G]
    bool current = false;
  };
  struct Groups;  // a step's groups as tensors

  GrpoTrainer(v1::RunConfig config, Bagel reference, Bagel policy, TensorMap trained);
  // Converts groups that CheckGroup() accepts.
  ImageGroup ReadImageGroup(const v1::TrajectoryGroup& group) const;
  TextGroup ReadTextGroup(const v1::TrajectoryGroup& group) const;
  void SetAdvantages(const std::vector<const v1::TrajectoryGroup*>& groups,
                     const std::vector<torch::Tensor*>& advantages, StepSums& sums) const;
  // Accumulates gradients; `first` update of the step also fixes the old log-probs.
  void ImageGradients(ImageGroup& group, bool first, double global_terms, StepSums& sums) const;
  void TextGradients(TextGroup& group, bool first, double global_tokens, StepSums& sums) const;
  std::vector<AdamW*> Optimizers() const;
  void ClearGradients() const;
  bool GradientsAreFinite() const;
  bool WeightsAreFinite() const;
  // Groups that the policy draws itself.
  ImageGroup OwnImages() const;
  TextGroup OwnTexts() const;
  // OK when those have finite gradients, otherwise OutOfRange. Leaves no gradients.
  absl::Status ProbePolicy() const;
  // Status of each group's own gradients, by its index in Step()'s argument. Leaves no gradients.
  std::vector<absl::Status> TryAlone(Groups& groups, bool first) const;
  // Result of Step() when it was not the policy's fault.
  static absl::StatusOr<StepResult> Unusable(const absl::Status& together,
                                             const std::vector<absl::Status>& alone, Fault fault);

  const v1::RunConfig config_;
  const Bagel reference_;
  Bagel policy_;
  TensorMap trained_;
  ImageLossOptions image_loss_;
  TextLossOptions text_loss_;
  AdvantageOptions advantage_options_;
  std::unique_ptr<AdamW> image_, text_;  // null: the task is not trained
};

}  // namespace lvrpo
