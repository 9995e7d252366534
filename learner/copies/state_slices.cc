#include "learner/copies/state_slices.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "model/weights/tensor_dtypes.h"

namespace lvrpo {
namespace {

// Pieces of one tensor as a whole.
absl::StatusOr<torch::Tensor> Join(const std::string& name, const std::vector<torch::Tensor>& pieces,
                                   const std::vector<int64_t>& shape) {
  int64_t elements = 0;
  for (const torch::Tensor& piece : pieces) {
    if (piece.dim() != 1 || piece.scalar_type() != pieces.front().scalar_type())
      return absl::DataLossError(absl::StrCat("the pieces of ", name, " do not fit together"));
    elements += piece.numel();
  }
  if (elements != c10::multiply_integers(shape)) {
    return absl::DataLossError(absl::StrCat("the pieces of ", name, " have ", elements,
                                            " elements instead of ", c10::multiply_integers(shape)));
  }
  return (pieces.size() == 1 ? pieces.front() : torch::cat(pieces)).view(shape);
}

}  // namespace

TensorMap FlatSlices(const TensorMap& tensors, const std::string& prefix) {
  TensorMap slices;
  for (const auto& [name, tensor] : tensors) slices[prefix + name] = tensor.detach().reshape(-1);
  return slices;
}

absl::StatusOr<TensorMap> JoinSlices(std::vector<TensorMap> parts, const ShapeMap& shapes) {
  const torch::NoGradGuard no_grad;
  std::set<std::string> names;
  for (const TensorMap& part : parts) {
    for (const auto& [name, piece] : part) names.insert(name);
  }
  TensorMap whole;
  for (const std::string& name : names) {
    std::vector<torch::Tensor> pieces;
    for (TensorMap& part : parts) {
      if (auto taken = part.extract(name); !taken.empty()) pieces.push_back(std::move(taken.mapped()));
    }
    const auto shape = shapes.find(name.substr(name.rfind('/') + 1));
    if (shape == shapes.end()) {
      whole[name] = pieces.front();
      continue;
    }
    absl::StatusOr<torch::Tensor> joined = Join(name, pieces, shape->second);
    if (!joined.ok()) return joined.status();
    whole[name] = *std::move(joined);
  }
  return whole;
}

StateTensors SplitState(const TensorMap& state) {
  StateTensors split;
  for (const auto& [name, tensor] : state) {
    absl::string_view rest = name;
    const bool weights = absl::ConsumePrefix(&rest, kWeightSlices);
    (weights ? split.weights : split.optimizers)[std::string(rest)] = tensor;
  }
  return split;
}

std::vector<SafetensorsDescription> DescriptionsOf(const TensorMap& tensors) {
  std::vector<SafetensorsDescription> descriptions;
  for (const auto& [name, tensor] : tensors) {
    descriptions.push_back(
        {name, SafetensorsDtype(tensor.scalar_type()), {tensor.sizes().begin(), tensor.sizes().end()}});
  }
  return descriptions;
}

}  // namespace lvrpo
