#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/weights/weights.h"

namespace lvrpo {

// Low-rank adapters of linear layers (LoRA, arXiv 2106.09685). An adapter adds two tensors to a layer's own,
// named as in the PEFT library:
//
//   <module>.weight         W [out, in]     frozen
//   <module>.lora_A.weight  A [rank, in]    trained
//   <module>.lora_B.weight  B [out, rank]   trained; initially zero, so that the model is unchanged
//
//   y = x W^T + b + scale (x A^T) B^T,   scale = alpha / rank, or alpha / sqrt(rank) with `rslora`
//
// One rank and one scale for all layers. model/weights/lora_file.h reads and writes adapters alone.
struct LoraConfig {
  int64_t rank = 64;
  double alpha = 128;
  bool rslora = false;  // arXiv 2312.03732
  // Which layers AddLora gives an adapter: patterns of MatchesPatterns (model/weights/weights.h) over module
  // names, a layer's name without ".weight". {"mlp_moe_gen"} or {"_moe_gen", "!norm"}.
  std::vector<std::string> modules;
};

double LoraScale(const LoraConfig& config);

// Suffixes of an adapter's tensors.
inline constexpr char kLoraA[] = ".lora_A.weight";
inline constexpr char kLoraB[] = ".lora_B.weight";

// Whether a tensor's name has an adapter's suffix, well-formed or not.
bool IsLoraName(const std::string& name);

// Whether a tensor is the weight of a linear layer, which can have an adapter.
bool IsLinearWeight(const ShapeMap& base, const std::string& name);

ShapeMap ShapesOf(const TensorMap& tensors);

// The adapters that `config` asks for on a model of these shapes, and nothing else. InvalidArgument names
// everything that is wrong (the first ten): rank or alpha out of range, rank above min(in, out) of a layer, a
// pattern that matches nothing, something matched that is no linear layer (a norm, a convolution, a table of
// embeddings, a parameter of its own). AlreadyExists when the model has adapters.
absl::StatusOr<ShapeMap> LoraShapes(const ShapeMap& base, const LoraConfig& config);

// Adds those tensors: fp32 whatever the layer's dtype (steps of 1e-4 vanish in bf16), on the layer's device,
// without requires_grad. A is uniform in +-1/sqrt(in), PEFT's default (Kaiming-uniform with a =
// sqrt(5)), and a function of (seed, name, shape) alone; B is zero. Errors as above, and InvalidArgument for
// a layer without floating-point weights; then `tensors` is unchanged.
absl::Status AddLora(TensorMap& tensors, const LoraConfig& config, uint64_t seed);

// The adapters alone, and everything else. Both share the tensors.
TensorMap ExtractLora(const TensorMap& tensors);
TensorMap WithoutLora(const TensorMap& tensors);

// DataLoss naming what is wrong with the adapters among `tensors` (other tensors are ignored) for a model of
// shapes `base`: an A without its B or the other way round, a layer that the model does not have, a
// shape that does not fit the layer and config.rank, a dtype that is not floating-point; or no adapter.
absl::Status CheckLora(const TensorMap& tensors, const ShapeMap& base, const LoraConfig& config,
                       const std::string& source);

// The formula above for y = x W^T + b, [..., out]: adds the adapter's part, in the dtype of y. Where `a` is
// undefined, y itself. The product with A and B is computed in their dtype, so fp32 adapters under bf16
// weights keep their precision. Gradients reach all that require grad.
torch::Tensor WithLora(const torch::Tensor& y, const torch::Tensor& x, const torch::Tensor& a,
                       const torch::Tensor& b, double scale);

}  // namespace lvrpo
