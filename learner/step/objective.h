#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "algorithm/image_loss.h"
#include "algorithm/text_loss.h"
#include "learner/step/step_figures.h"
#include "model/bagel.h"
#include "proto/lvrpo/v1/config.pb.h"
#include "trajectory/sampled_group.h"

namespace lvrpo {

// The policy that is trained, and the frozen one that KL is measured against.
struct Policies {
  const Bagel& policy;
  const Bagel& reference;
};

enum class GroupTask { kImage, kText };

// A run's losses.
struct ObjectiveSettings {
  int64_t group_size = 0;    // samples
  int64_t window_size = 0;   // SDE steps of an image
  GuidanceOptions guidance;  // as images are sampled
  double temperature = 1;    // as texts are sampled
  int64_t micro_batch = 0;   // images of a group in one forward; 0: all
  int mini_batches = 1;      // of a step's groups of each task
  ImageLossOptions image;
  TextLossOptions text;
  CorrectionOptions correction;  // of texts
  bool correct_current = false;  // also texts of the weights before the step
};
// InvalidArgument for names of forms that do not exist.
absl::StatusOr<ObjectiveSettings> ObjectiveSettingsOf(const v1::RunConfig& config);

// One group's part of a step's loss (paper, equation 2): the clipped surrogate against log-probs that were
// computed here, before the first update, and the KL to the reference. Whatever LibTorch throws is thrown.
class GroupObjective {
 public:
  virtual ~GroupObjective() = default;
  // Terms of the mean that the loss is: (image, window step) pairs; response tokens, or responses.
  virtual double terms() const = 0;
  // Computes the old log-probs, for a group whose gradients come after the step's first update.
  virtual void KeepOld(StepSums& sums) = 0;
  // Adds the gradient of: sum of the group's terms / step_terms. `advantages` [G]; `step_terms`: of all
  // groups of the task in the update. `first`: sets the old log-probs, when there was no KeepOld().
  virtual void Backward(const torch::Tensor& advantages, bool first, double step_terms, StepSums& sums) = 0;
};

// Computes what does not change in the step: the prompt's contexts. `current`: the group was sampled by the
// weights before the step. The models and settings must outlive the objective.
std::unique_ptr<GroupObjective> MakeObjective(const SampledGroup& group, const Policies& models,
                                              const ObjectiveSettings& settings, bool current);

}  // namespace lvrpo
