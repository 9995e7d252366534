#include "algorithm/image_sampler.h"

#include "algorithm/philox.h"

namespace lvrpo {

VelocityFunction BagelVelocity(const Bagel& model, KvCache cache, LatentGrid grid,
                               const GuidanceOptions& guidance) {
  return [model, cache = std::move(cache), grid, guidance](const torch::Tensor& x, double t) {
    const torch::Tensor here = x.to(model.device()), times = torch::full({x.size(0)}, t, here.options());
    return model.GuidedVelocity(cache, KvCache(), cache, here, times, grid.height, grid.width,
                                guidance.At(t));
  };
}

SdeStep StepOf(const ImageSampleOptions& options, int index) {
  const double t = options.timesteps[index], t_next = options.timesteps[index + 1];
  if (!options.window.Contains(index)) return MakeOdeStep(t, t_next);
  return MakeSdeStep(options.kernel, options.noise_level, t, t_next, options.timesteps[1]);
}

ImageSamples SampleLatents(const VelocityFunction& velocity, const torch::Tensor& noise,
                           const ImageSampleOptions& options, const StepNoise& step_noise) {
  torch::NoGradGuard no_grad;
  torch::Tensor x = noise;
  std::vector<torch::Tensor> window_latents, log_probs;
  const int steps = static_cast<int>(options.timesteps.size()) - 1;
  for (int i = 0; i < steps; ++i) {
    const SdeStep step = StepOf(options, i);
    const torch::Tensor v = velocity(x, step.t);
    x = x.to(v.device());  // noise is made on the host; samples are where the velocity is
    const torch::Tensor mean = SdeMean(step, x, v);
    if (!options.window.Contains(i)) {
      x = mean;
      continue;
    }
    if (i == options.window.begin) window_latents.push_back(x);
    x = SdeSample(step, mean, step_noise(i).to(mean.device()));
    window_latents.push_back(x);
    log_probs.push_back(SdeLogProb(step, x, mean));
  }
  ImageSamples samples;
  samples.final_latents = x;
  if (!window_latents.empty()) {
    samples.window_latents = torch::stack(window_latents, 1);
    samples.log_probs = torch::stack(log_probs, 1);
  }
  return samples;
}

ImageSamples SampleImages(const VelocityFunction& velocity, int64_t group_size, int64_t tokens,
                          int64_t token_dim, uint64_t run_seed, uint32_t group,
                          const ImageSampleOptions& options) {
  const auto noise = [&](Purpose purpose, int step) {
    const bool shared = purpose == Purpose::kInitialNoise && options.initial_noise == InitialNoise::kShared;
    const torch::Tensor own = PhiloxNormalSlots(
        {.seed = MixSeed(run_seed, purpose), .group = group, .slot = 0, .step = static_cast<uint32_t>(step)},
        0, shared ? 1 : group_size, {tokens, token_dim});
    if (shared) return own.repeat({group_size, 1, 1});
    if (!options.antithetic) return own;
    const torch::Tensor first = own.slice(0, 0, group_size, 2);
    return torch::stack({first, purpose == Purpose::kSdeNoise ? -first : first}, 1).flatten(0, 1);
  };
  return SampleLatents(velocity, noise(Purpose::kInitialNoise, 0), options,
                       [&](int step) { return noise(Purpose::kSdeNoise, step); });
}

torch::Tensor EvaluationNoise(uint64_t run_seed, uint32_t first, int64_t count, int64_t tokens,
                              int64_t token_dim) {
  std::vector<torch::Tensor> images;
  PhiloxStream stream{.seed = MixSeed(run_seed, Purpose::kEvaluationNoise)};
  for (int64_t i = 0; i < count; ++i) {
    stream.group = first + static_cast<uint32_t>(i);
    images.push_back(PhiloxNormal(stream, {tokens, token_dim}));
  }
  return torch::stack(images);
}

WindowStep EvaluateWindowStep(const VelocityFunction& velocity, const torch::Tensor& window_latents,
                              int index, const ImageSampleOptions& options) {
  WindowStep result;
  result.step = StepOf(options, options.window.begin + index);
  const torch::Tensor x = window_latents.select(1, index).contiguous();
  result.velocity = velocity(x, result.step.t);
  result.mean = SdeMean(result.step, x, result.velocity);
  result.log_prob = SdeLogProb(result.step, window_latents.select(1, index + 1), result.mean);
  return result;
}

torch::Tensor WindowLogProbs(const VelocityFunction& velocity, const torch::Tensor& window_latents,
                             const ImageSampleOptions& options) {
  std::vector<torch::Tensor> log_probs;
  for (int j = 0; j < options.window.size; ++j) {
    log_probs.push_back(EvaluateWindowStep(velocity, window_latents, j, options).log_prob);
  }
  return torch::stack(log_probs, 1);
}

}  // namespace lvrpo
