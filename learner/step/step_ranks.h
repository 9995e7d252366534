#pragma once

#include <span>
#include <vector>

#include "absl/status/status.h"
#include "collectives/collectives.h"
#include "torch/torch.h"

namespace lvrpo {

// The memory of a contiguous fp32 or bf16 tensor.
Span SpanOf(const torch::Tensor& values);

// The ranks of a learner as a step sees them: each has some of the step's groups, and all make the same
// update. One rank alone exchanges nothing. All ranks make the same calls in the same order.
//
// Errors are Aborted, with the communicator's words: it is broken, and the learner starts again as a whole.
// Not thread-safe.
class StepRanks {
 public:
  // `ordered`: gradients are added group by group in the order of the step (gradient_sum.h).
  static StepRanks Alone(bool ordered = false) { return StepRanks(nullptr, ordered); }
  // `collectives` must outlive it.
  StepRanks(Collectives& collectives, bool ordered) : StepRanks(&collectives, ordered) {}

  int rank() const { return collectives_ == nullptr ? 0 : collectives_->rank(); }
  int size() const { return collectives_ == nullptr ? 1 : collectives_->size(); }
  bool ordered() const { return ordered_; }

  // In place, over ranks; the same bits on all of them. Tensors: contiguous, in memory that
  // the collectives reach.
  absl::Status Sum(std::span<double> values) const;
  absl::Status Max(std::span<double> values) const;
  absl::Status Sum(torch::Tensor& values) const;
  // `values` of rank `root`, on all.
  absl::Status Broadcast(torch::Tensor& values, int root) const;

 private:
  StepRanks(Collectives* collectives, bool ordered) : collectives_(collectives), ordered_(ordered) {}
  absl::Status Reduce(Span values, Reduction reduction) const;

  Collectives* collectives_;
  bool ordered_;
};

// Sum() of few values, added in rank order on every rank. Not a number when the ranks have lost each other:
// for what cannot report that, and is followed by what can.
void SumInRankOrder(const StepRanks& ranks, std::span<double> values);

// Gives every rank the statuses of all: those that are not OK here are kept, and the others become what the
// one rank that has something to say about them found, by code.
absl::Status ShareStatuses(const StepRanks& ranks, std::vector<absl::Status>& statuses);
// Leaves `own` when it is not OK, else makes it that of the first rank whose is not.
absl::Status ShareStatus(const StepRanks& ranks, absl::Status& own);
// Internal unless `value` has the same bits on all ranks; `what` it is.
absl::Status CheckAlike(const StepRanks& ranks, double value, const char* what);

}  // namespace lvrpo
