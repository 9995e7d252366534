#pragma once

#include <map>
#include <vector>

#include "absl/status/status.h"
#include "learner/step/step_ranks.h"
#include "model/weights/weights.h"

namespace lvrpo {

// The gradient of a step's loss, added up over groups that several ranks have.
//
// Backward passes add gradients to the parameters; Finish() replaces them by the sum over ranks. How sums are
// bracketed decides their last bits. By default each rank adds its groups, and the ranks are added:
//   (g0 + g2) + (g1 + g3), with ranks {0, 2} and {1, 3}.
// `ranks.ordered()`: group by group in the order of the step, (((g0 + g1) + g2) + g3), whoever has them: the
// same bits for any number of ranks. It keeps one gradient a group and sends each to all ranks.
//
// One update. Not thread-safe.
class GradientSum {
 public:
  // `parameters`, and `ranks`, must outlive it.
  GradientSum(const TensorMap& parameters, const StepRanks& ranks) : parameters_(parameters), ranks_(ranks) {}

  // The parameters have the gradient of the group at `place` in the step, after those before it.
  void Add(size_t place);
  // `owners`: the rank that has the group, by its place. Parameters without a gradient on any rank keep none.
  absl::Status Finish(const std::vector<int>& owners);

 private:
  // The parameters' gradients [n], in name order; zeros for those that have none.
  torch::Tensor Flat() const;
  void Spread(const torch::Tensor& flat, const std::vector<double>& present) const;

  const TensorMap& parameters_;
  const StepRanks& ranks_;
  std::map<size_t, torch::Tensor> groups_;  // ordered only: by place
  std::vector<double> present_;  // ordered only: whether any group has given a parameter a gradient
};

}  // namespace lvrpo
