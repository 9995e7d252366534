#pragma once

#include <cstdint>
#include <string>

#include "model/weights/weights.h"

namespace lvrpo {

// Which token streams of a layer are in use: those of the und expert, of the gen expert, or both.
struct Halves {
  bool und = false, gen = false;
  bool operator==(const Halves&) const = default;
};

// A decoder's layers, when their weights are not kept: each is gathered before it runs and dropped after it
// (learner/shards). The rest of the model's tensors are kept as always.
//
// For one thread. What fails is thrown as c10::Error.
class LayerSource {
 public:
  virtual ~LayerSource() = default;
  // The weights that a layer's `halves` use, by their full names, without requires_grad. They are valid as
  // long as the caller holds them.
  virtual TensorMap Gather(int64_t layer, Halves halves) = 0;
  // Whether gradients of this tensor are wanted.
  virtual bool IsTrained(const std::string& name) const = 0;
  // Adds gradients of the trained tensors that the last Gather() gave; a missing one is zero. Called once for
  // each layer that ran with gradients, also when it has no trained tensors.
  virtual void AddGradients(int64_t layer, Halves halves, const TensorMap& gradients) = 0;
};

}  // namespace lvrpo
