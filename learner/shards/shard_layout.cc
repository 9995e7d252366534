#include "learner/shards/shard_layout.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <tuple>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "model/bagel.h"

namespace lvrpo {
namespace {

constexpr const char* kOwners[] = {"frozen", "image", "text", "reference"};

int64_t Aligned(int64_t count, int64_t alignment) { return (count + alignment - 1) / alignment * alignment; }

Halves UsersOf(const std::string& name) {
  if (absl::StrContains(name, ".mlp.experts.") || absl::StrContains(name, ".mlp.gate."))
    return {.und = true, .gen = true};
  const bool gen = absl::StrContains(name, "_moe_gen");
  return {.und = !gen, .gen = gen};
}

const char* HalfName(Halves halves) { return halves.und && halves.gen ? "pool" : halves.gen ? "gen" : "und"; }

std::string UnitName(const std::optional<int64_t>& layer, Halves halves, const ShardedTensor& tensor) {
  const std::string place =
      layer.has_value() ? absl::StrCat("layers.", *layer, ".", HalfName(halves)) : std::string("rest");
  // Adapters may have another dtype than the weights they belong to.
  return absl::StrCat(place, ".", kOwners[static_cast<size_t>(tensor.owner)],
                      tensor.dtype == torch::kFloat32 ? "" : ".16");
}

}  // namespace

std::vector<ShardUnit> LayOutShards(const std::vector<std::pair<std::string, ShardedTensor>>& tensors,
                                    int ranks) {
  auto sorted = tensors;
  std::sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::map<std::tuple<int64_t, std::string>, ShardUnit> units;  // layers in their order, the rest at the end
  for (const auto& [name, tensor] : sorted) {
    const std::optional<int64_t> layer = Bagel::LayerOf(name);
    const bool trained = tensor.owner == ShardOwner::kImage || tensor.owner == ShardOwner::kText;
    if (!layer.has_value() && !trained) continue;
    const Halves used_by = layer.has_value() ? UsersOf(name) : Halves{.und = true, .gen = true};
    const std::string unit_name = UnitName(layer, used_by, tensor);
    ShardUnit& unit = units[{layer.value_or(INT64_MAX), unit_name}];
    unit.name = unit_name;
    unit.owner = tensor.owner;
    unit.layer = layer;
    unit.used_by = used_by;
    unit.dtype = tensor.dtype;
    unit.parts.push_back({.tensor = name, .shape = tensor.shape, .begin = unit.count});
    const int64_t elements =
        std::accumulate(tensor.shape.begin(), tensor.shape.end(), int64_t{1}, std::multiplies<>());
    unit.count = Aligned(unit.count + elements, kShardAlignment);
  }
  std::vector<ShardUnit> result;
  for (auto& [place, unit] : units) {
    unit.count = Aligned(unit.count, ranks * kShardAlignment);
    result.push_back(std::move(unit));
  }
  return result;
}

}  // namespace lvrpo
