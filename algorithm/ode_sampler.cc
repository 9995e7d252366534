#include "algorithm/ode_sampler.h"

namespace lvrpo {

torch::Tensor SampleOde(const Bagel& model, const std::vector<std::vector<int32_t>>& prompts,
                        const torch::Tensor& noise, const std::vector<float>& timesteps, int64_t grid_h,
                        int64_t grid_w, double cfg_scale) {
  torch::NoGradGuard no_grad;
  std::vector<KvCache> contexts;
  for (const std::vector<int32_t>& ids : prompts) contexts.push_back(model.PrefillPrompt(ids));
  const KvCache context = KvCache::Stack(contexts);
  const KvCache empty;
  torch::Tensor x = noise;
  for (size_t i = 0; i + 1 < timesteps.size(); ++i) {
    const torch::Tensor t = torch::full({x.size(0)}, timesteps[i]);
    const torch::Tensor v = model.GuidedVelocity(context, empty, context, x, t, grid_h, grid_w,
                                                 {.text_scale = cfg_scale});
    x = x + v * (timesteps[i + 1] - timesteps[i]);
  }
  return x;
}

}  // namespace lvrpo
