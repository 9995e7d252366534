#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "torch/torch.h"

namespace lvrpo {

// Checkpoint name -> tensor.
using TensorMap = std::map<std::string, torch::Tensor>;
using ShapeMap = std::map<std::string, std::vector<int64_t>>;

// The tensor of this name; undefined when there is none.
torch::Tensor FindTensor(const TensorMap& tensors, const std::string& name);

// The tensors of one safetensors file, copied; floating-point ones are cast to `dtype` (nullopt: kept as
// stored). model/weights/stored_weights.h reads shards, views and parts.
absl::StatusOr<TensorMap> LoadTensors(const std::string& path,
                                      std::optional<torch::Dtype> dtype = torch::kFloat32);

// Writes atomically; floating-point tensors are cast to `dtype` when given.
absl::Status SaveTensors(const std::string& path, const TensorMap& tensors,
                         std::optional<torch::Dtype> dtype = std::nullopt,
                         const std::map<std::string, std::string>& metadata = {});

// DataLoss naming every missing, unexpected and mis-shaped tensor (the first ten of each).
absl::Status CheckShapes(const ShapeMap& expected, const ShapeMap& got, const std::string& source);
absl::Status CheckTensors(const ShapeMap& expected, const TensorMap& got, const std::string& source);
// The same for a model's weights, all of which hold floating-point numbers.
absl::Status CheckWeights(const ShapeMap& expected, const TensorMap& got, const std::string& source);

// DataLoss naming the tensors whose safetensors dtype is not one of a model's weights (F32, F64, F16, BF16).
absl::Status CheckWeightDtypes(const std::map<std::string, std::string>& dtypes, const std::string& source);

// DataLoss naming the first tensor with a NaN or an infinity, and how many there are.
absl::Status CheckFinite(const TensorMap& tensors, const std::string& source);

// The prefix, ending in a dot, that wrappers of a model added to the names of `got` ("module.", "model."):
// the one without which most of them are in `expected`; "" when there is none.
std::string CommonPrefix(const ShapeMap& expected, const std::vector<std::string>& got);
std::string CommonPrefix(const ShapeMap& expected, const TensorMap& got);

// SHA-256 over names, dtypes, shapes and bytes, in name order. Lower-case hex.
std::string DigestOf(const TensorMap& tensors);

// Tensors whose name contains one of the patterns, and none of those that begin with '!'.
// {"_moe_gen", "llm2vae"} or {"language_model.", "!_moe_gen"}.
bool MatchesPatterns(const std::string& name, const std::vector<std::string>& patterns);

// Detached copies.
TensorMap CloneTensors(const TensorMap& tensors);

}  // namespace lvrpo
