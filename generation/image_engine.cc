#include "generation/image_engine.h"

#include <algorithm>

#include "algorithm/image_sampler.h"
#include "algorithm/philox.h"
#include "model/folders/memory_plan.h"
#include "model/layers/step_graph.h"

namespace lvrpo {
namespace {

// Samples of one request in one batch.
struct Part {
  const ImageRequest* request;
  int64_t first, count;
};

std::vector<std::vector<Part>> PlanBatches(std::span<const ImageRequest> requests, int64_t size) {
  std::vector<std::vector<Part>> batches;
  int64_t room = 0;
  for (const ImageRequest& request : requests) {
    for (int64_t first = 0; first < request.samples;) {
      if (room == 0) {
        batches.emplace_back();
        room = size;
      }
      const int64_t count = std::min(room, request.samples - first);
      batches.back().push_back({&request, first, count});
      first += count;
      room -= count;
    }
  }
  return batches;
}

}  // namespace

int64_t ImageBatchSize(const BagelConfig& config, const ImageEngineOptions& options, torch::Dtype dtype) {
  const int64_t branches = options.guidance.text_scale <= 1 ? 1 : (options.guidance.image_scale <= 1 ? 2 : 3);
  const int64_t tokens = options.grid.tokens() + 2;
  const int64_t each = branches * tokens * ForwardBytesPerToken(config, dtype);
  return std::max<int64_t>(1, options.activation_bytes / each);
}

torch::Tensor GenerateLatents(const Bagel& model, std::span<const ImageRequest> requests,
                              const ImageEngineOptions& options,
                              const std::function<void(int64_t, int64_t)>& progress) {
  torch::NoGradGuard no_grad;
  const std::vector<std::vector<Part>> batches =
      PlanBatches(requests, ImageBatchSize(model.config(), options, model.dtype()));
  const int64_t steps = static_cast<int64_t>(options.timesteps.size()) - 1;
  const int64_t all_steps = steps * static_cast<int64_t>(batches.size());
  int64_t done = 0;
  std::vector<torch::Tensor> latents;
  for (const std::vector<Part>& batch : batches) {
    std::vector<Bagel::GuidedContext> contexts;
    std::vector<torch::Tensor> noise;
    for (const auto& [request, first, count] : batch) {
      const KvCache* image_free = request->image_free ? &*request->image_free : &request->full;
      contexts.push_back({&request->full, &request->text_free, image_free, count});
      if (request->noise.defined()) {
        noise.push_back(request->noise.narrow(0, first, count));
        continue;
      }
      noise.push_back(PhiloxNormalSlots({.seed = MixSeed(options.seed, Purpose::kInitialNoise),
                                         .group = request->group,
                                         .slot = 0,
                                         .step = 0},
                                        request->first_slot + static_cast<uint32_t>(first), count,
                                        {options.grid.tokens(), model.config().token_dim()}));
    }
    // With and without guidance the work differs. Experts take as many tokens as their router sends.
    const auto step = [&](const GuidanceOptions& guidance) {
      return [&model, &contexts, &options, guidance](const torch::Tensor& x, const torch::Tensor& t) {
        return model.GuidedVelocity(contexts, x, t, options.grid.height, options.grid.width, guidance);
      };
    };
    const bool recordable = !model.config().router.top_k;
    GuidanceOptions off = options.guidance, on = options.guidance;
    off.text_scale = 1;
    on.interval_low = -1, on.interval_high = 2;  // whether it acts is decided here
    StepGraph plain(step(off), recordable), guided(step(on), recordable);
    const VelocityFunction velocity = [&](const torch::Tensor& x, double t) {
      StepGraph& graph = options.guidance.At(t).text_scale > 1 ? guided : plain;
      const torch::Tensor v = graph(x, torch::full({x.size(0)}, t, x.options()));
      if (progress) progress(++done, all_steps);
      return v;
    };
    latents.push_back(
        SampleLatents(velocity, torch::cat(noise).to(model.device()), {.timesteps = options.timesteps})
            .final_latents);
  }
  return torch::cat(latents);
}

}  // namespace lvrpo
