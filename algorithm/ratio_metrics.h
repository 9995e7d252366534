#pragma once

#include "torch/torch.h"

namespace lvrpo {

// How far apart two policies are on the same samples; the same figures for text tokens and image steps.
struct RatioMetrics {
  double clip_low_fraction = 0;   // share of ratios below 1 - clip_low
  double clip_high_fraction = 0;  // share of ratios above 1 + clip_high
  double mean_abs_log_ratio = 0;  // the noise floor when the weights are equal: compare with the clip range
  double max_abs_log_ratio = 0;
  double kl_k3 = 0;                   // mean of w - log w - 1 (w = new / old): estimate of KL(old, new)
  double effective_sample_share = 1;  // (sum w)^2 / (n sum w^2)
};

// log_ratio, any shape; `mask` of the same shape (0: masked) or undefined. All zeros but the last
// when everything is masked.
RatioMetrics MeasureRatios(const torch::Tensor& log_ratio, const torch::Tensor& mask, double clip_low,
                           double clip_high);

}  // namespace lvrpo
