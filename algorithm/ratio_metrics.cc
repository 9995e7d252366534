#include "algorithm/ratio_metrics.h"

namespace lvrpo {

RatioMetrics MeasureRatios(const torch::Tensor& log_ratio, const torch::Tensor& mask, double clip_low,
                           double clip_high) {
  torch::Tensor values = log_ratio.detach().to(torch::kFloat64).flatten();
  if (mask.defined()) values = values.masked_select(mask.flatten().ne(0));
  RatioMetrics metrics;
  const double count = static_cast<double>(values.numel());
  if (count == 0) return metrics;
  const torch::Tensor above = values.expm1();  // ratio - 1, exact near 0
  const torch::Tensor ratio = values.exp();
  metrics.clip_low_fraction = static_cast<double>(above.lt(-clip_low).sum().item<int64_t>()) / count;
  metrics.clip_high_fraction = static_cast<double>(above.gt(clip_high).sum().item<int64_t>()) / count;
  metrics.mean_abs_log_ratio = values.abs().mean().item<double>();
  metrics.max_abs_log_ratio = values.abs().max().item<double>();
  metrics.kl_k3 = (above - values).mean().item<double>();
  const double sum = ratio.sum().item<double>();
  metrics.effective_sample_share = sum * sum / (count * ratio.square().sum().item<double>());
  return metrics;
}

}  // namespace lvrpo
