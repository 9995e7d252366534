#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "algorithm/schedule.h"
#include "algorithm/sde.h"
#include "model/bagel.h"
#include "model/latent_grid.h"
#include "torch/torch.h"

// Samples latents from noise, and re-evaluates their log-probabilities. Everything but the velocity is fp32
// (log-probs: double).
namespace lvrpo {

// v = noise - data of latent tokens x [B, N, D] at time t (the same for all): [B, N, D]. The sampler's whole
// view of the policy; tests use closed forms.
using VelocityFunction = std::function<torch::Tensor(const torch::Tensor& x, double t)>;

// Velocity of `model` in the prompt's context; shares the model's tensors. The cache is shared (batch 1) or
// per sample. With text_scale != 1 guidance is against the empty context.
VelocityFunction BagelVelocity(const Bagel& model, KvCache cache, LatentGrid grid,
                               const GuidanceOptions& guidance = {});

struct ImageSampleOptions {
  std::vector<float> timesteps;  // Timesteps(n, shift)
  SdeKernel kernel = SdeKernel::kFlowSde;
  double noise_level = 0.7;
  Window window = {};  // SDE steps; the others are Euler ODE steps
  // Slots 2j and 2j + 1 are an antithetic pair: the same noise at t = 1, opposite noise at each SDE step.
  // Each sample's distribution is unchanged, but within a pair only the sign of the SDE noise decides which
  // is better: reward variance from the noise at t = 1, and from even functions of the SDE noise, cancels in
  // the gradient (antithetic variates, as in evolution strategies: Salimans et al. 2017, section 2.1).
  bool antithetic = false;
  InitialNoise initial_noise = InitialNoise::kOwn;  // kShared: all slots begin with slot 0's
};

// Denoising step `index` of the schedule: SDE inside the window, ODE outside.
SdeStep StepOf(const ImageSampleOptions& options, int index);

struct ImageSamples {
  torch::Tensor final_latents;  // [B, N, D]
  // Undefined without a window.
  torch::Tensor window_latents;  // [B, k + 1, N, D]: before each window step and after the last, as sampled
  torch::Tensor log_probs;       // [B, k] float64, SdeLogProb of window_latents
};

// SDE noise of the schedule's step `step`: [B, N, D].
using StepNoise = std::function<torch::Tensor(int step)>;

// The denoising loop, from noise [B, N, D] at t = 1 to latents: SDE steps inside options.window, with noise
// from `step_noise`, and Euler ODE steps outside. Samples may have separate contexts. Noise may be in the
// host's memory; what comes out is on the device of what `velocity` gives. No gradients.
ImageSamples SampleLatents(const VelocityFunction& velocity, const torch::Tensor& noise,
                           const ImageSampleOptions& options, const StepNoise& step_noise = {});

// SampleLatents of one group in one batch, slots 0 .. group_size - 1 (an even number when antithetic). Noise
// (algorithm/philox.h) is a function of (run seed, group, slot, step): purpose kInitialNoise for the latent
// at t = 1, kSdeNoise at the schedule's step i.
ImageSamples SampleImages(const VelocityFunction& velocity, int64_t group_size, int64_t tokens,
                          int64_t token_dim, uint64_t run_seed, uint32_t group,
                          const ImageSampleOptions& options);

// Noise of evaluation images first .. first + count - 1 of one prompt set (purpose kEvaluationNoise): [count,
// N, D].
torch::Tensor EvaluationNoise(uint64_t run_seed, uint32_t first, int64_t count, int64_t tokens,
                              int64_t token_dim);

// One window step re-evaluated on stored latents, with the gradient of `velocity`.
struct WindowStep {
  SdeStep step;
  torch::Tensor velocity, mean;  // [G, N, D]
  torch::Tensor log_prob;        // [G] float64
};
// `index` counts from 0 inside the window. The batch is that of window_latents [G, k + 1, N, D]: with
// unchanged weights and the sampler's batch shape, log_prob equals the sampler's bit for bit.
WindowStep EvaluateWindowStep(const VelocityFunction& velocity, const torch::Tensor& window_latents,
                              int index, const ImageSampleOptions& options);
// log_prob of all window steps: [G, k].
torch::Tensor WindowLogProbs(const VelocityFunction& velocity, const torch::Tensor& window_latents,
                             const ImageSampleOptions& options);

}  // namespace lvrpo
