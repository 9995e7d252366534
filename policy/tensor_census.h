#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "model/bagel_config.h"
#include "proto/lvrpo/v1/config.pb.h"

namespace lvrpo {

// Elements of a model's tensors by what a learner does with them.
struct TensorCount {
  int64_t frozen = 0;
  int64_t replaced = 0;  // trained themselves: the reference has their values before training
  int64_t adapters = 0;  // added to frozen tensors; fp32 whatever the dtype of the weights

  int64_t trained() const { return replaced + adapters; }
  // Bytes of what is computed with, whose weights have `width` bytes.
  int64_t WeightBytes(int64_t width) const { return (frozen + replaced) * width + adapters * 4; }
};

struct TensorCensus {
  TensorCount rest, layers;     // outside of the decoder's layers, and in all of them
  TensorCount layer;            // in one layer, of the halves that the run's passes use
  int64_t half_trained = 0;     // in one half of a layer: the half that has more
  int64_t largest_trained = 0;  // tensor
  // Bytes of fp32 linear layers prepacked for the CPU's product, one direction: all, those of a layer, and
  // those of the rest. 0 in bf16.
  int64_t packed = 0, packed_layer = 0, packed_rest = 0;

  int64_t trained() const { return rest.trained() + layers.trained(); }
};

// Counts the policy of a run (RunPolicyShapes) by what it trains. Errors of RunPolicyShapes and
// SelectTrainedNames, as the training itself has them.
absl::StatusOr<TensorCensus> CountTensors(const v1::RunConfig& config, const BagelConfig& model);

}  // namespace lvrpo
