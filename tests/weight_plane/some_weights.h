#pragma once

#include <string>
#include <utility>

#include "weight_plane/packed_weights.h"
#include "weight_plane/verified_weights.h"

namespace lvrpo {

// Two tensors of any bytes: "large" fills a dedicated bucket and takes several pieces, "small" the next.
inline PackedWeights SomeWeights(int64_t number, char fill = 'a') {
  WeightPacker packer;
  packer.Add("large", {1500, 1000}, std::string(size_t{1500} * 1000 * 4, fill));
  packer.Add("small", {7}, std::string(28, fill));
  return std::move(packer).Seal(number);
}

// What a receiver asks for who trains the tensors of `weights`.
inline WantedWeights WantedOf(const PackedWeights& weights) {
  WantedWeights wanted{.version = weights.manifest.version(), .shapes = {}};
  for (const v1::TensorEntry& tensor : weights.manifest.tensors())
    wanted.shapes[tensor.name()] = {tensor.shape().begin(), tensor.shape().end()};
  return wanted;
}

}  // namespace lvrpo
