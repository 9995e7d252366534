#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "data/safetensors/safetensors_writer.h"
#include "model/weights/weights.h"

// A learner's state in parts: what all that train it have together, as one-dimensional pieces of its tensors.
// Of a tensor that is divided every part has the piece that its rank has, or none; the pieces, in the order
// of the parts, are the tensor, flat. So whoever puts parts together need not know how tensors were divided.
namespace lvrpo {

// In names of a learner's state: "weights/<tensor>" are the masters. The optimizers' state has its names
// (TaskOptimizers::State): "image/exp_avg/<tensor>".
inline constexpr char kWeightSlices[] = "weights/";

// Whole tensors as the only part; shares their memory where they are contiguous.
TensorMap FlatSlices(const TensorMap& tensors, const std::string& prefix = "");

// The tensors of all parts. `shapes`: of tensors, by their names without what stands before the last '/'.
// What has no shape there, such as counters, is not divided: it is that of the first part that has it.
// DataLoss when pieces do not fit together.
absl::StatusOr<TensorMap> JoinSlices(std::vector<TensorMap> parts, const ShapeMap& shapes);

// A state by what it is of, with the trainer's names.
struct StateTensors {
  TensorMap weights, optimizers;
};
StateTensors SplitState(const TensorMap& state);

// What a safetensors header says of tensors, in the order of their names.
std::vector<SafetensorsDescription> DescriptionsOf(const TensorMap& tensors);

}  // namespace lvrpo
