#include "policy/layer_activations.h"

namespace lvrpo {

LayerActivations LayerActivationsOf(const BagelConfig& config, int64_t width, bool adapters) {
  const int64_t h = config.hidden, q = config.hidden, kv = config.kv_heads * config.head_dim(),
                mlp = config.mlp * (config.router.top_k ? config.router.experts_per_token : 1);
  constexpr int64_t kFp32 = 4;
  if (width == kFp32) {
    return {// Sums and outputs of both norms; queries, keys and values before and after their rotation; the
            // attention's output and its gathered rows; gate, up and their product.
            .kept = (4 * h + 2 * (q + 2 * kv) + 2 * q + 3 * mlp) * kFp32,
            // Gradients of the streams; of the product, gate and up.
            .passing = (3 * h + 3 * mlp) * kFp32};
  }
  // Norms keep their input in fp32, the normalized rows and what comes out; those of queries and keys too.
  // Values are concatenated once; SwiGLU keeps gate, up, the activated gate and the product.
  int64_t kept =
      2 * (kFp32 + 2 * width) * h + (kFp32 + 4 * width) * q + (kFp32 + 3 * width) * kv + 4 * mlp * width;
  // Adapters see an fp32 copy of each linear layer's input, and the layers' own inputs are not kept.
  if (adapters) kept += (5 * h + q + mlp) * kFp32 - (2 * h + q + mlp) * width;
  return {.kept = kept, .passing = (4 * h + 4 * mlp) * width + 2 * h * kFp32};
}

}  // namespace lvrpo
