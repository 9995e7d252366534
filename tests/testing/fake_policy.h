#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/hash.h"
#include "proto/lvrpo/v1/coordinator.pb.h"
#include "proto/lvrpo/v1/trajectory.pb.h"
#include "weight_plane/packed_weights.h"

namespace lvrpo {

// A policy whose weights, samples and steps are SHA-256 digests: the same weights and ordinal give the same
// samples, and a step's weights depend on every sample and reward of it, and on their order.

inline std::string BaseWeights(uint64_t seed) { return Sha256Hex(absl::StrCat("base of ", seed)); }

// The weights as they travel: one tensor of their 64 characters.
inline constexpr char kWeightsName[] = "weights";
inline PackedWeights PackFake(int64_t number, const std::string& weights) {
  WeightPacker packer;
  packer.Add(kWeightsName, {16}, [&](char* into) { std::memcpy(into, weights.data(), 64); });
  return std::move(packer).Seal(number);
}

// Every fifth ordinal's samples are all alike: such groups are retired, and others take their place.
inline std::string SampleOf(const std::string& weights, int64_t ordinal, int slot) {
  return Sha256Hex(absl::StrCat(weights, " ", ordinal, " ", ordinal % 5 == 2 ? 0 : slot));
}

// In [0, 1).
inline float RewardOf(const std::string& sample) {
  return static_cast<float>(std::stoi(sample.substr(0, 5), nullptr, 16)) / static_cast<float>(1 << 20);
}

// The weights after one more group of a step.
inline std::string TrainOn(const std::string& weights, const v1::TrajectoryGroup& group,
                           const v1::AssignedGroup& assigned) {
  std::string all = absl::StrCat(weights, " ", group.ordinal());
  for (int slot = 0; slot < group.samples_size(); ++slot)
    absl::StrAppend(&all, " ", group.samples(slot).latents(), " ", assigned.samples(slot).reward());
  return Sha256Hex(all);
}

}  // namespace lvrpo
