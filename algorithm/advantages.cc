#include "algorithm/advantages.h"

#include <limits>
#include <vector>

namespace lvrpo {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
// Float rewards of a constant group differ in the last bits: test the range, never std == 0.
constexpr double kZeroVarianceRange = 1e-6;

struct Moments {
  torch::Tensor mean, std;
};

// Mean and std over `dims` (kept), ignoring NaN; std is NaN where fewer than two values are known.
Moments KnownMoments(const torch::Tensor& values, torch::IntArrayRef dims, int ddof) {
  const torch::Tensor known = values.isnan().logical_not();
  const torch::Tensor count = known.sum(dims, true).to(torch::kFloat64);
  const torch::Tensor mean = values.nansum(dims, true) / count;  // 0 / 0 is NaN: nothing known
  const torch::Tensor squares = (values - mean).square().nansum(dims, true);
  const torch::Tensor std = (squares / (count - ddof)).sqrt();
  return {mean, std.masked_fill(count.lt(2), kNaN)};
}

// Normalises over dimension 1 of [P, G, ...]; NaN becomes 0.
torch::Tensor Normalize(const torch::Tensor& rewards, const AdvantageOptions& options) {
  const Moments group = KnownMoments(rewards, {1}, options.ddof);
  torch::Tensor centred = rewards - group.mean;
  if (options.scale == AdvantageScale::kGroup) centred = centred / (group.std + options.eps);
  if (options.scale == AdvantageScale::kBatch) {
    centred = centred / (KnownMoments(rewards, {0, 1}, options.ddof).std + options.eps);
  }
  return centred.nan_to_num(0.0);
}

}  // namespace

Advantages GroupAdvantages(const torch::Tensor& rewards, const torch::Tensor& weights,
                           const AdvantageOptions& options) {
  torch::Tensor components = rewards.detach().to(torch::kFloat64);
  if (components.dim() == 2) components = components.unsqueeze(2);
  const torch::Tensor weight = weights.defined() ? weights.detach().to(torch::kFloat64)
                                                 : torch::ones({components.size(2)}, components.options());
  const torch::Tensor all_missing = components.isnan().all(2);                                // [P, G]
  const torch::Tensor sums = (components * weight).nansum(2).masked_fill(all_missing, kNaN);  // [P, G]

  Advantages result;
  if (options.aggregation == RewardAggregation::kSumThenNormalize) {
    result.advantages = Normalize(sums, options);
  } else {
    result.component_advantages = Normalize(components, options);
    const torch::Tensor combined =
        (result.component_advantages * weight).sum(2).masked_fill(all_missing, kNaN);
    const Moments batch = KnownMoments(combined, {0, 1}, options.ddof);
    result.advantages = ((combined - batch.mean) / (batch.std + options.eps)).nan_to_num(0.0);
  }
  if (options.clamp.has_value()) result.advantages = result.advantages.clamp(-*options.clamp, *options.clamp);

  result.group_mean = KnownMoments(sums, {1}, options.ddof).mean.squeeze(1);
  const double infinity = std::numeric_limits<double>::infinity();
  const torch::Tensor range = sums.nan_to_num(-infinity, infinity, -infinity).amax(1) -
                              sums.nan_to_num(infinity, infinity, -infinity).amin(1);
  result.zero_variance = range.le(kZeroVarianceRange);  // nothing known: -inf
  return result;
}

}  // namespace lvrpo
