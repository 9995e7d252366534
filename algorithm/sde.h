#pragma once

#include "common/config/choices.h"
#include "torch/torch.h"

// One denoising step as a diagonal Gaussian, so that an image has a log-probability. This is the only place
// where steps are computed: rollout workers and learner call the same functions, in fp32.
namespace lvrpo {

// Everything about a step that does not depend on the latent. In each kernel the mean is linear in latent and
// velocity: mean = x_coefficient x + v_coefficient v.
//   flow_sde  s = a sqrt(t / (1 - t*)), t* = t but the schedule's second value at t = 1; std = s sqrt(-dt)
//   dance     s = eta; std = eta sqrt(-dt)
//     both    mean = x (1 + s^2 dt / 2t) + v (1 + s^2 (1 - t) / 2t) dt
//   cps       std = t_next sin(a pi / 2); mean = (x - t v)(1 - t_next) + (x + (1 - t) v) sqrt(t_next^2 -
//   std^2)
// Noise level 0 is the Euler ODE step x + v dt in all of them (std = 0).
struct SdeStep {
  SdeKernel kernel = SdeKernel::kFlowSde;
  double t = 0, t_next = 0;
  double x_coefficient = 1, v_coefficient = 0;
  double sigma = 0;  // s above; for cps the same as std
  double std = 0;    // of x_next given the mean

  double dt() const { return t_next - t; }  // negative
};

// `t_second` is the second value of the schedule.
SdeStep MakeSdeStep(SdeKernel kernel, double noise_level, double t, double t_next, double t_second);
SdeStep MakeOdeStep(double t, double t_next);

// x, v [B, ...] -> [B, ...] fp32. Gradients flow through v.
torch::Tensor SdeMean(const SdeStep& step, const torch::Tensor& x, const torch::Tensor& v);
// mean + std noise.
torch::Tensor SdeSample(const SdeStep& step, const torch::Tensor& mean, const torch::Tensor& noise);

// log p(x_next | mean) as the MEAN over the elements of a sample: [B] float64 (differences in fp32's inputs,
// summed in double: clip ranges of 1e-5 leave no room for fp32 sums). No gradient flows through x_next.
//   flow_sde, dance   mean of -(x' - m)^2 / 2 std^2 - log std - log(2 pi) / 2; undefined when std = 0
//   cps               mean of -(x' - m)^2
// `constants` = false omits the last two terms, as the BAGEL version of flow_grpo does; ratios are the
// same.
torch::Tensor SdeLogProb(const SdeStep& step, const torch::Tensor& x_next, const torch::Tensor& mean,
                         bool constants = true);

// Mean over everything but the first dimension, in double: [B, ...] -> [B].
torch::Tensor MeanPerSample(const torch::Tensor& values);

}  // namespace lvrpo
