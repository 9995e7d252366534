#include "model/qwen2_layers.h"

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

torch::Tensor GroupedAttention(const torch::Tensor& q, const torch::Tensor& k, const torch::Tensor& v,
                               const torch::Tensor& mask) {
  const int64_t batch = q.size(0), heads = q.size(1), tokens = q.size(2), d = q.size(3);
  const int64_t kv_heads = k.size(1), groups = heads / kv_heads;
  // The query heads of one kv head lie behind each other along the token axis.
  std::optional<torch::Tensor> grouped_mask;
  if (mask.defined()) grouped_mask = mask.unsqueeze(1).repeat({1, 1, groups, 1});
  return at::scaled_dot_product_attention(q.reshape({batch, kv_heads, groups * tokens, d}), k, v,
                                          grouped_mask)
      .view({batch, heads, tokens, d});
}

}  // namespace lvrpo
