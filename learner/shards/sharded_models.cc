#include "learner/shards/sharded_models.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "model/weights/moved.h"

namespace lvrpo {
namespace {

std::vector<ShardUnit> UnitsOf(const ShardedModels::Whole& whole, int ranks) {
  std::vector<std::pair<std::string, ShardedTensor>> tensors;
  for (const auto& [name, tensor] : whole.policy.tensors()) {
    ShardedTensor own = {.shape = tensor.sizes().vec(), .dtype = tensor.scalar_type()};
    const bool image = whole.image.contains(name), text = whole.text.contains(name);
    if (image || text) own.owner = image ? ShardOwner::kImage : ShardOwner::kText;
    tensors.emplace_back(name, own);
    if (!whole.reference_differs || own.owner == ShardOwner::kFrozen || IsLoraName(name)) continue;
    own.owner = ShardOwner::kReference;
    tensors.emplace_back(name, own);
  }
  return LayOutShards(tensors, ranks);
}

constexpr char kCounters[] = "counters";

// State is named "image/exp_avg/<tensor>" and "image/counters".
std::map<std::string, TensorMap> ByPrefix(const TensorMap& state) {
  std::map<std::string, TensorMap> by_prefix;
  for (const auto& [name, tensor] : state) {
    const size_t end = name.rfind('/') + 1;
    by_prefix[name.substr(0, end)][name.substr(end)] = tensor;
  }
  return by_prefix;
}

int RanksOf(const Collectives* collectives) { return collectives == nullptr ? 1 : collectives->size(); }

}  // namespace

ShardedModels::ShardedModels(const Whole& whole, Collectives* collectives, bool ordered)
    : shards_(UnitsOf(whole, RanksOf(collectives)), collectives),
      gradients_(shards_, ordered),
      layers_(shards_, gradients_, whole.policy.config().layers) {
  for (size_t i = 0; i < shards_.size(); ++i) {
    const ShardUnit& unit = shards_.unit(i);
    shards_.Fill(i,
                 unit.owner == ShardOwner::kReference ? whole.reference.tensors() : whole.policy.tensors());
    if (unit.layer.has_value()) continue;
    for (const ShardUnit::Part& part : unit.parts) {
      rest_[part.tensor] = whole.policy.tensors().at(part.tensor).detach().clone().requires_grad_(true);
    }
  }
  policy_ = *whole.policy.WithLayersFrom(layers_.policy()).WithTensors(rest_, "the policy");
  reference_ = whole.reference.WithLayersFrom(layers_.reference());
}

TensorMap ShardedModels::Parameters(ShardOwner owner) const {
  TensorMap parts;
  for (size_t i = 0; i < shards_.size(); ++i) {
    if (shards_.unit(i).owner == owner) parts[shards_.unit(i).name] = shards_.part(i);
  }
  return parts;
}

absl::StatusOr<TensorMap> ShardedModels::Gather(const TensorMap& parts) const {
  const torch::NoGradGuard no_grad;
  TensorMap whole;
  for (size_t i = 0; i < shards_.size(); ++i) {
    const torch::Tensor part = FindTensor(parts, shards_.unit(i).name);
    if (!part.defined()) continue;
    Shards::Exchange exchange = shards_.GatherParts(part.detach().to(shards_.part(i).device()));
    if (absl::Status status = exchange.Wait(); !status.ok()) return status;
    if (shards_.rank() == 0) whole.merge(HostCopies(shards_.Split(i, exchange.result)));
  }
  return whole;
}

TensorMap ShardedModels::PartsOfState(const TensorMap& state) const {
  TensorMap parts;
  for (const auto& [prefix, tensors] : ByPrefix(state)) {
    for (size_t i = 0; i < shards_.size(); ++i) {
      const ShardUnit& unit = shards_.unit(i);
      if (unit.trained() && tensors.contains(unit.parts[0].tensor))
        parts[prefix + unit.name] = shards_.OwnPart(shards_.Flatten(i, tensors)).clone();
    }
    if (tensors.contains(kCounters)) parts[prefix + kCounters] = tensors.at(kCounters);
  }
  return parts;
}

absl::StatusOr<TensorMap> ShardedModels::GatherState(const TensorMap& parts) const {
  TensorMap state;
  for (const auto& [prefix, tensors] : ByPrefix(parts)) {
    absl::StatusOr<TensorMap> whole = Gather(tensors);
    if (!whole.ok()) return whole.status();
    for (const auto& [name, tensor] : *whole) state[prefix + name] = tensor;
    if (tensors.contains(kCounters) && shards_.rank() == 0) state[prefix + kCounters] = tensors.at(kCounters);
  }
  return state;
}

void ShardedModels::AddRestGradients() {
  TensorMap gradients;
  for (const auto& [name, tensor] : rest_) {
    if (tensor.grad().defined()) gradients[name] = tensor.grad();
  }
  for (size_t i = 0; i < shards_.size(); ++i) {
    if (shards_.unit(i).layer.has_value()) continue;
    TORCH_CHECK(gradients_.Wait().ok(), "the ranks no longer work together");
    gradients_.Add(i, gradients);
  }
  ClearRestGradients();
}

void ShardedModels::ClearRestGradients() {
  for (auto& [name, tensor] : rest_) tensor.mutable_grad().reset();
}

absl::Status ShardedModels::RefreshRest() {
  const torch::NoGradGuard no_grad;
  for (size_t i = 0; i < shards_.size(); ++i) {
    if (shards_.unit(i).layer.has_value()) continue;
    Shards::Exchange exchange = shards_.Gather(i);
    if (absl::Status status = exchange.Wait(); !status.ok()) return status;
    for (const auto& [name, tensor] : shards_.Split(i, exchange.result)) rest_.at(name).copy_(tensor);
  }
  return absl::OkStatus();
}

}  // namespace lvrpo
