#include "generation/image_engine.h"

#include "algorithm/image_sampler.h"
#include "algorithm/philox.h"
#include "gtest/gtest.h"
#include "tests/testing/tiny_models.h"

namespace lvrpo {
namespace {

ImageEngineOptions Options(double text_scale, double image_scale) {
  ImageEngineOptions options;
  options.grid = {.height = 3, .width = 2};
  options.timesteps = Timesteps(5, 2);
  options.guidance = {
      .text_scale = text_scale, .image_scale = image_scale, .interval_low = .5, .interval_high = 1};
  options.seed = 4;
  return options;
}

ImageRequest Request(const Bagel& model, const std::vector<int32_t>& prompt, int64_t samples,
                     uint32_t group) {
  torch::NoGradGuard no_grad;
  ImageRequest request;
  request.full = model.PrefillPrompt(prompt);
  request.samples = samples;
  request.group = group;
  return request;
}

// One sample by itself, its branches one after another.
torch::Tensor Alone(const Bagel& model, const ImageRequest& request, int64_t sample,
                    const ImageEngineOptions& options) {
  torch::NoGradGuard no_grad;
  const torch::Tensor noise = PhiloxNormal({.seed = MixSeed(options.seed, Purpose::kInitialNoise),
                                            .group = request.group,
                                            .slot = static_cast<uint32_t>(sample),
                                            .step = 0},
                                           {options.grid.tokens(), model.config().token_dim()})
                                  .unsqueeze(0);
  const GuidanceOptions& guidance = options.guidance;
  const KvCache& image_free = request.image_free ? *request.image_free : request.full;
  const VelocityFunction velocity = [&](const torch::Tensor& x, double t) {
    const auto v = [&](const KvCache& cache) {
      return model.Velocity(cache, x, torch::full({1}, t), options.grid.height, options.grid.width);
    };
    const torch::Tensor full = v(request.full);
    if (guidance.text_scale <= 1 || t <= guidance.interval_low) return full;
    const torch::Tensor text_free = v(request.text_free), no_image = v(image_free);
    torch::Tensor guided = text_free + guidance.text_scale * (full - text_free);
    guided = no_image + guidance.image_scale * (guided - no_image);
    return guided * (full.norm() / (guided.norm() + 1e-8)).clamp(0, 1);
  };
  return SampleLatents(velocity, noise, {.timesteps = options.timesteps}).final_latents;
}

TEST(GenerateLatents, GivesEachSampleWhateverSharesItsBatch) {
  const Bagel model = TinyBagel();
  std::vector<ImageRequest> requests = {Request(model, {10, 11, 12}, 3, 1), Request(model, {20}, 2, 2),
                                        Request(model, {5, 6, 7, 8}, 1, 3)};
  // The last is an edit: its own contexts for both guidance branches.
  requests[2].text_free = Request(model, {9}, 1, 0).full;
  requests[2].image_free = Request(model, {30, 31}, 1, 0).full;
  for (const auto& [text_scale, image_scale] : {std::pair{1., 1.}, {3., 1.}, {3., 1.5}}) {
    ImageEngineOptions options = Options(text_scale, image_scale);
    std::vector<torch::Tensor> expected;
    for (const ImageRequest& request : requests) {
      for (int64_t sample = 0; sample < request.samples; ++sample)
        expected.push_back(Alone(model, request, sample, options));
    }
    EXPECT_TRUE(Close(GenerateLatents(model, requests, options), torch::cat(expected)));
    // In batches of two, which cut the first request.
    while (ImageBatchSize(model.config(), options, torch::kFloat32) > 2) options.activation_bytes /= 2;
    int64_t steps = 0;
    const torch::Tensor cut = GenerateLatents(model, requests, options, [&](int64_t done, int64_t all) {
      EXPECT_EQ(done, ++steps);
      EXPECT_EQ(all % 4, 0);
    });
    EXPECT_TRUE(Close(cut, torch::cat(expected)));
    EXPECT_GE(steps, 3 * 4);
  }
}

TEST(GenerateLatents, StartsAtTheSlotItIsTold) {
  const Bagel model = TinyBagel();
  const ImageEngineOptions options = Options(1, 1);
  ImageRequest request = Request(model, {10}, 3, 1);
  const torch::Tensor all = GenerateLatents(model, {&request, 1}, options);
  request.samples = 1, request.first_slot = 2;
  EXPECT_TRUE(Close(GenerateLatents(model, {&request, 1}, options), all.narrow(0, 2, 1)));
}

}  // namespace
}  // namespace lvrpo
