#include "policy/tensor_census.h"

#include <algorithm>
#include <array>
#include <functional>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "model/bagel.h"
#include "model/folders/memory_plan.h"
#include "policy/contract.h"
#include "policy/run_policy.h"

namespace lvrpo {
namespace {

int64_t Elements(const std::vector<int64_t>& shape) {
  return std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
}

// Prepacked copies are of the layers themselves, not of adapters.
void CountPacked(const ShapeMap& shapes, bool images, TensorCensus& census) {
  ShapeMap all, layer, rest;
  for (const auto& [name, shape] : shapes) {
    if (IsLoraName(name)) continue;
    const std::optional<int64_t> number = Bagel::LayerOf(name);
    all[name] = shape;
    if (!number.has_value()) rest[name] = shape;
    if (number == 0 && (images || !absl::StrContains(name, "_moe_gen"))) layer[name] = shape;
  }
  census.packed = OrderedCopyBytes(all);
  census.packed_layer = OrderedCopyBytes(layer);
  census.packed_rest = OrderedCopyBytes(rest);
}

}  // namespace

absl::StatusOr<TensorCensus> CountTensors(const v1::RunConfig& config, const BagelConfig& model) {
  const absl::StatusOr<ShapeMap> shapes = RunPolicyShapes(config, model);
  if (!shapes.ok()) return shapes.status();
  const absl::StatusOr<TrainedNames> names = SelectTrainedNames(config, *shapes);
  if (!names.ok()) return names.status();
  TensorCensus census;
  std::array<int64_t, 2> halves = {};
  for (const auto& [name, shape] : *shapes) {
    const int64_t count = Elements(shape);
    const bool trained = names->image.contains(name) || names->text.contains(name);
    const bool gen = absl::StrContains(name, "_moe_gen");
    const std::optional<int64_t> layer = Bagel::LayerOf(name);
    const auto add = [&](TensorCount& to) {
      (IsLoraName(name) ? to.adapters : trained ? to.replaced : to.frozen) += count;
    };
    add(layer.has_value() ? census.layers : census.rest);
    if (layer == 0 && (UsesImages(config) || !gen)) add(census.layer);
    if (trained) census.largest_trained = std::max(census.largest_trained, count);
    if (trained && layer == 0) halves[gen ? 1 : 0] += count;
  }
  census.half_trained = std::max(halves[0], halves[1]);
  if (config.model().weights_dtype() != "bf16") CountPacked(*shapes, UsesImages(config), census);
  return census;
}

}  // namespace lvrpo
