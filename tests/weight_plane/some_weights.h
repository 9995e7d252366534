#pragma once

#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "weight_plane/packed_weights.h"
#include "weight_plane/wanted_weights.h"

namespace lvrpo {

inline void AddBytes(WeightPacker& packer, const std::string& name, const std::vector<int64_t>& shape,
                     const std::string& bytes) {
  packer.Add(name, shape, [bytes](char* into) { std::memcpy(into, bytes.data(), bytes.size()); });
}

// Three tensors of any bytes: "large" and "larger" each fill a dedicated bucket and take several pieces,
// "small" the last.
inline PackedWeights SomeWeights(int64_t number, char fill = 'a') {
  WeightPacker packer;
  AddBytes(packer, "large", {1500, 1000}, std::string(size_t{1500} * 1000 * 4, fill));
  AddBytes(packer, "larger", {1600, 1000}, std::string(size_t{1600} * 1000 * 4, fill));
  AddBytes(packer, "small", {7}, std::string(28, fill));
  return std::move(packer).Seal(number);
}

inline PackedWeights CopyOf(const PackedWeights& weights) {
  PackedWeights copy = {.manifest = weights.manifest, .buckets = {}};
  for (const Bucket& bucket : weights.buckets)
    std::memcpy(copy.buckets.emplace_back(bucket.size()).data(), bucket.data(), bucket.size());
  return copy;
}

// What a receiver asks for who trains the tensors of `weights`.
inline WantedWeights WantedOf(const PackedWeights& weights) {
  WantedWeights wanted{.version = weights.manifest.version(), .shapes = {}};
  for (const v1::TensorEntry& tensor : weights.manifest.tensors())
    wanted.shapes[tensor.name()] = {tensor.shape().begin(), tensor.shape().end()};
  return wanted;
}

inline bool SameBytes(const std::vector<Bucket>& a, const std::vector<Bucket>& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i].view() != b[i].view()) return false;
  }
  return true;
}

}  // namespace lvrpo
