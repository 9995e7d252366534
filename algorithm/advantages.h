#pragma once

#include <optional>

#include "common/config/choices.h"
#include "torch/torch.h"

// Group-relative advantages (paper, equations 3 and 6).
namespace lvrpo {

struct AdvantageOptions {
  AdvantageScale scale = AdvantageScale::kGroup;
  int ddof = 1;  // 1: unbiased standard deviation
  double eps = 1e-4;
  std::optional<double> clamp = 5.0;  // +-
  RewardAggregation aggregation = RewardAggregation::kSumThenNormalize;
};

struct Advantages {
  torch::Tensor advantages;            // [P, G]
  torch::Tensor group_mean;            // [P], mean of the summed rewards
  torch::Tensor zero_variance;         // [P] bool: max - min of the summed rewards <= 1e-6
  torch::Tensor component_advantages;  // [P, G, K] with kGdpo, otherwise undefined
};

// rewards [P, G, K] with weights [K], or [P, G] with undefined weights; results are float64. A
// missing reward is NaN: it is left out of mean and standard deviation and adds 0 to a sum; a sample that
// misses all of its rewards has advantage 0, and so has every sample of a group with fewer than two known
// rewards (unless scale is kNone). Groups of zero variance get their (tiny) advantages too; drop them by
// `zero_variance`.
Advantages GroupAdvantages(const torch::Tensor& rewards, const torch::Tensor& weights,
                           const AdvantageOptions& options);

}  // namespace lvrpo
