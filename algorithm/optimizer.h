#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "model/weights/weights.h"

namespace lvrpo {

// The fields of config.proto's OptimizerConfig, and what only the caller knows.
struct AdamWOptions {
  double learning_rate = 1e-4;  // at its peak
  double weight_decay = 0;      // decoupled
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
  int64_t warmup_steps = 0;  // linear
  int64_t total_steps = 0;   // the cosine ends here; 0: constant after the warm-up
  double cosine_floor = 1;   // fraction of the peak at the end; 1: constant
  double gradient_clip = 1;  // largest L2 norm of the gradient; 0: no limit
};

// Learning rate of optimizer step `step`, from 0: step w - 1 of w warm-up steps is the first at the peak.
double LearningRateAt(const AdamWOptions& options, int64_t step);

struct OptimizerStep {
  bool finite = true;        // false: a gradient was not finite, and nothing was changed
  bool updated = false;      // false also when no parameter had a gradient
  double gradient_norm = 0;  // before the clip
  double learning_rate = 0;
};

// AdamW (Loshchilov, Hutter 2019) over one group of named fp32 tensors, with linear warm-up and cosine,
// gradient-norm clip, and a guard against non-finite gradients. Groups with other settings are other
// objects, stepped by StepTogether(). Results depend only on parameters, gradients and state. Not
// thread-safe.
class AdamW {
 public:
  // `parameters` are fp32 leaves that require gradients: the master weights, shared with the model and
  // changed in place.
  AdamW(TensorMap parameters, AdamWOptions options);

  // One update from the gradients, which are cleared. When no parameter has a gradient the group is
  // unchanged; otherwise a missing gradient is zero. The schedule advances in every call.
  OptimizerStep Step();
  void ClearGradients();
  double GradientNorm() const;  // over all parameters; -1: no gradient at all
  // The sum of its squares, by parameter that has a gradient.
  std::map<std::string, double> GradientSquares() const;

  const TensorMap& parameters() const { return parameters_; }
  const AdamWOptions& options() const { return options_; }
  int64_t steps() const { return steps_; }                      // calls of Step()
  int64_t nonfinite_steps() const { return nonfinite_steps_; }  // of which skipped for a non-finite gradient
  int64_t nonfinite_in_a_row() const { return nonfinite_in_a_row_; }  // skipped since the last finite one

  // Copies of everything but the parameters, in the host's memory: "exp_avg/<name>" and "exp_avg_sq/<name>"
  // fp32, "counters" int64. Restore(State()) continues bit for bit. DataLoss when it does not fit.
  TensorMap State() const;
  absl::Status Restore(const TensorMap& state);
  // State() without copying: shares the optimizer's memory, which Step() changes in place.
  TensorMap StateViews() const;
  // Names and shapes of the State() of an optimizer of these tensors.
  static ShapeMap StateShapes(const TensorMap& parameters);

 private:
  friend std::vector<OptimizerStep> StepTogether(const std::vector<AdamW*>& optimizers,
                                                 const std::vector<double>& norms);
  friend std::vector<OptimizerStep> SkipTogether(const std::vector<AdamW*>& optimizers);

  OptimizerStep Advance(double gradient_norm, bool finite);
  void Update(double learning_rate, double gradient_norm);

  TensorMap parameters_, exp_avg_, exp_avg_sq_;
  AdamWOptions options_;
  int64_t steps_ = 0, updates_ = 0, nonfinite_steps_ = 0, nonfinite_in_a_row_ = 0;
};

// One optimizer step of several groups as one: each has its own schedule and clip, but when a gradient of any
// of them is not finite none is changed. The norm over all is the root of the sum of their squares.
std::vector<OptimizerStep> StepTogether(const std::vector<AdamW*>& optimizers);
// With the gradients' norms, where other processes have more of the parameters.
std::vector<OptimizerStep> StepTogether(const std::vector<AdamW*>& optimizers,
                                        const std::vector<double>& norms);
// The same for a step whose gradients were not finite and are gone.
std::vector<OptimizerStep> SkipTogether(const std::vector<AdamW*>& optimizers);

}  // namespace lvrpo
