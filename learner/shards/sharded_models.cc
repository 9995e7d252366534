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

const TensorMap& TensorsOf(const ShardedModels::Whole& whole, ShardOwner owner) {
  switch (owner) {
    case ShardOwner::kImage:
      return whole.image;
    case ShardOwner::kText:
      return whole.text;
    case ShardOwner::kReference:
      return whole.reference.tensors();
    case ShardOwner::kFrozen:
      break;
  }
  return whole.policy.tensors();
}

// A copy of a trained tensor outside of the layers that the policy computes with.
torch::Tensor LeafOf(const torch::Tensor& master, const ShardUnit& unit, torch::Device device) {
  torch::Tensor leaf = master.detach().to(device, unit.dtype, /*non_blocking=*/false, /*copy=*/true);
  leaf.requires_grad_(true);
  leaf.set_grad_dtype(torch::kFloat32);
  return leaf;
}

// Copies of the tensors outside of the layers: they may be views of the model's file.
TensorMap OutsideOfLayers(const Bagel& model) {
  TensorMap others;
  for (const auto& [name, tensor] : model.tensors()) {
    if (!Bagel::LayerOf(name).has_value()) others[name] = tensor.detach().clone();
  }
  return others;
}

}  // namespace

ShardedModels::ShardedModels(const Whole& whole, Collectives* collectives, bool ordered,
                             torch::Device masters)
    : shards_(UnitsOf(whole, RanksOf(collectives)), collectives,
              {.masters = masters, .compute = whole.policy.device()}),
      gradients_(shards_, ordered),
      layers_(shards_, gradients_, whole.policy.config().layers) {
  for (size_t i = 0; i < shards_.size(); ++i) {
    const ShardUnit& unit = shards_.unit(i);
    const TensorMap& tensors = TensorsOf(whole, unit.owner);
    shards_.Fill(i, tensors);
    if (unit.layer.has_value()) continue;
    for (const ShardUnit::Part& part : unit.parts)
      rest_[part.tensor] = LeafOf(tensors.at(part.tensor), unit, shards_.devices().compute);
  }
  TensorMap others = OutsideOfLayers(whole.reference);
  reference_ = *whole.reference.WithLayersFrom(layers_.reference()).WithTensors(others, "the reference");
  for (const auto& [name, leaf] : rest_) others[name] = leaf;
  policy_ = *whole.policy.WithLayersFrom(layers_.policy()).WithTensors(others, "the policy");
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
    Shards::Exchange exchange = shards_.GatherParts(part.detach().to(shards_.devices().compute));
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
        parts[prefix + unit.name] = shards_.OwnPart(shards_.Flatten(i, tensors, torch::kCPU)).clone();
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

TensorMap ShardedModels::PiecesOfState(const TensorMap& parts) const {
  TensorMap pieces;
  for (const auto& [prefix, tensors] : ByPrefix(parts)) {
    for (size_t i = 0; i < shards_.size(); ++i) {
      const torch::Tensor part = FindTensor(tensors, shards_.unit(i).name);
      if (!part.defined()) continue;
      for (const auto& [name, piece] : shards_.Pieces(i, part.detach(), shards_.rank()))
        pieces[prefix + name] = piece;
    }
    if (tensors.contains(kCounters)) pieces[prefix + kCounters] = tensors.at(kCounters);
  }
  return pieces;
}

absl::StatusOr<std::map<int, TensorMap>> ShardedModels::GatherPieces(const TensorMap& parts,
                                                                     const std::vector<int>& of) const {
  std::map<int, TensorMap> pieces;
  for (const auto& [prefix, tensors] : ByPrefix(parts)) {
    for (size_t i = 0; i < shards_.size(); ++i) {
      const torch::Tensor part = FindTensor(tensors, shards_.unit(i).name);
      if (!part.defined()) continue;
      Shards::Exchange exchange = shards_.GatherParts(part.detach().to(shards_.devices().compute));
      if (absl::Status status = exchange.Wait(); !status.ok()) return status;
      for (const int rank : of) {
        const torch::Tensor theirs = exchange.result.narrow(0, part.numel() * rank, part.numel());
        for (const auto& [name, piece] : HostCopies(shards_.Pieces(i, theirs, rank)))
          pieces[rank][prefix + name] = piece;
      }
    }
    for (const int rank : of) {
      if (tensors.contains(kCounters)) pieces[rank][prefix + kCounters] = tensors.at(kCounters);
    }
  }
  return pieces;
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
