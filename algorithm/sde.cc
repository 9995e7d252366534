#include "algorithm/sde.h"

#include <cmath>
#include <numbers>

namespace lvrpo {

SdeStep MakeOdeStep(double t, double t_next) {
  return {.t = t, .t_next = t_next, .x_coefficient = 1, .v_coefficient = t_next - t};
}

SdeStep MakeSdeStep(SdeKernel kernel, double noise_level, double t, double t_next, double t_second) {
  SdeStep step = MakeOdeStep(t, t_next);
  step.kernel = kernel;
  if (noise_level == 0) return step;
  if (kernel == SdeKernel::kCps) {
    step.std = step.sigma = t_next * std::sin(noise_level * std::numbers::pi / 2);
    const double direction = std::sqrt(std::max(0.0, t_next * t_next - step.std * step.std));
    step.x_coefficient = 1 - t_next + direction;
    step.v_coefficient = (1 - t) * direction - t * (1 - t_next);
    return step;
  }
  step.sigma = noise_level;
  if (kernel == SdeKernel::kFlowSde) step.sigma *= std::sqrt(t / (1 - (t == 1 ? t_second : t)));
  const double drift = step.sigma * step.sigma / (2 * t);
  step.std = step.sigma * std::sqrt(-step.dt());
  step.x_coefficient = 1 + drift * step.dt();
  step.v_coefficient = (1 + drift * (1 - t)) * step.dt();
  return step;
}

torch::Tensor SdeMean(const SdeStep& step, const torch::Tensor& x, const torch::Tensor& v) {
  return x.to(torch::kFloat32) * step.x_coefficient + v.to(torch::kFloat32) * step.v_coefficient;
}

torch::Tensor SdeSample(const SdeStep& step, const torch::Tensor& mean, const torch::Tensor& noise) {
  return mean + noise * step.std;
}

torch::Tensor SdeLogProb(const SdeStep& step, const torch::Tensor& x_next, const torch::Tensor& mean,
                         bool constants) {
  const torch::Tensor squared_error =
      MeanPerSample((x_next.detach().to(torch::kFloat64) - mean.to(torch::kFloat64)).square());
  if (step.kernel == SdeKernel::kCps) return -squared_error;
  const torch::Tensor scaled = squared_error / (-2 * step.std * step.std);
  if (!constants) return scaled;
  return scaled - (std::log(step.std) + 0.5 * std::log(2 * std::numbers::pi));
}

torch::Tensor MeanPerSample(const torch::Tensor& values) {
  return values.to(torch::kFloat64).flatten(1).mean(1);
}

}  // namespace lvrpo
