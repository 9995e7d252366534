#include "model/layers/qwen2_layers.h"

namespace lvrpo {

torch::Tensor RotaryFrequencies(double theta, int64_t head_dim) {
  const double d = static_cast<double>(head_dim);
  return torch::pow(theta, -torch::arange(0, head_dim, 2, torch::kFloat32) / d).to(torch::kFloat32);
}

RotaryTables MakeRotaryTables(const torch::Tensor& positions, const torch::Tensor& frequencies,
                              torch::Dtype dtype) {
  const torch::Tensor angle = positions.to(torch::kFloat32).unsqueeze(-1) * frequencies;
  return {angle.cos().to(dtype), angle.sin().to(dtype)};
}

}  // namespace lvrpo
