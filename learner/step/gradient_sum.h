#pragma once

#include <map>
#include <vector>

#include "absl/status/status.h"
#include "learner/step/group_work.h"
#include "learner/step/step_ranks.h"
#include "model/weights/weights.h"

namespace lvrpo {

// Groups of models that every rank has whole: ranks compute theirs without the others, and exchange gradients
// once, in Finish().
//
// How sums are bracketed decides their last bits. By default each rank adds its groups, and the ranks are
// added:
//   (g0 + g2) + (g1 + g3), with ranks {0, 2} and {1, 3}.
// `ranks.ordered()`: group by group in the order of the step, (((g0 + g1) + g2) + g3), whoever has them: the
// same bits for any number of ranks. It keeps one gradient a group and sends each to all ranks.
//
// Not thread-safe.
class GradientSum final : public GroupWork {
 public:
  // `parameters`, and `ranks`, must outlive it.
  GradientSum(const TensorMap& parameters, const StepRanks& ranks) : parameters_(parameters), ranks_(ranks) {}

  void Contexts(GroupTask task, const Compute& own) override;
  void Evaluate(GroupTask task, const Compute& own) override;
  void Gradients(GroupTask task, const Places& places, const Compute& own) override;
  absl::Status Finish(const std::vector<int>& owners) override;
  void Alone(GroupTask task, int owner, const Compute& own) override;
  void Together(const Compute& work) override;
  void Clear() override;

 private:
  // The parameters have the gradient of the group at `place` in the step, after those before it.
  void Add(size_t place);
  // The parameters' gradients [n], in name order; zeros for those that have none.
  torch::Tensor Flat() const;
  void Spread(const torch::Tensor& flat, const std::vector<double>& present) const;

  const TensorMap& parameters_;
  const StepRanks& ranks_;
  std::map<size_t, torch::Tensor> groups_;  // ordered only: by place
  std::vector<double> present_;  // ordered only: whether any group has given a parameter a gradient
};

}  // namespace lvrpo
