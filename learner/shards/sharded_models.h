#pragma once

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "collectives/collectives.h"
#include "learner/shards/layer_exchange.h"
#include "learner/shards/shard_gradients.h"
#include "learner/shards/shards.h"
#include "model/bagel.h"

namespace lvrpo {

// The policy and the reference, sharded as ZeRO-3 does: each rank holds an equal part of every decoder
// layer's weights, and of the master weights of all that is trained; what a rank computes with is gathered
// layer by layer. Frozen tensors outside of the layers (embeddings, the vision tower) every rank keeps.
// docs/learner_cluster.md has the figures. Not thread-safe.
class ShardedModels {
 public:
  struct Whole {
    Bagel policy, reference;         // the reference has no adapters
    TensorMap image, text;           // what the masters of the policy's trained tensors begin with
    bool reference_differs = false;  // whether trained tensors' frozen values are needed too, for a KL
  };
  // Copies this rank's parts of the models, and what every rank keeps; masters go to `masters`. It computes
  // where the policy is, in the policy's dtypes. `collectives`: null with one rank; it must outlive this.
  ShardedModels(const Whole& whole, Collectives* collectives, bool ordered, torch::Device masters);
  ShardedModels(const ShardedModels&) = delete;
  ShardedModels& operator=(const ShardedModels&) = delete;

  const Bagel& policy() const { return *policy_; }
  const Bagel& reference() const { return *reference_; }
  LayerExchange& layers() { return layers_; }
  ShardGradients& gradients() { return gradients_; }

  // This rank's part of each unit that `owner` trains, by the unit's name: what its optimizer steps.
  TensorMap Parameters(ShardOwner owner) const;
  // All ranks' parts of units, by the units' names, as whole tensors in the host's memory of rank 0; nothing
  // on the others. All ranks call it.
  absl::StatusOr<TensorMap> Gather(const TensorMap& parts) const;
  // Optimizers' state (TaskOptimizers::State) of whole tensors as that of this rank's parts, and back, as
  // Gather() does.
  TensorMap PartsOfState(const TensorMap& state) const;
  absl::StatusOr<TensorMap> GatherState(const TensorMap& parts) const;
  // The same of this rank's parts alone, as pieces of whole tensors (learner/copies/state_slices.h), sharing
  // their memory.
  TensorMap PiecesOfState(const TensorMap& parts) const;
  // That of ranks `of`, copied, by rank. All ranks call it, each with the ranks that it wants.
  absl::StatusOr<std::map<int, TensorMap>> GatherPieces(const TensorMap& parts,
                                                        const std::vector<int>& of) const;

  // Hands the gradients of trained tensors outside of the layers to gradients(): after a group's passes.
  void AddRestGradients();
  void ClearRestGradients();
  // Makes those tensors what the masters are: after an update. All ranks call it.
  absl::Status RefreshRest();

 private:
  Shards shards_;
  ShardGradients gradients_;
  LayerExchange layers_;
  // Trained tensors outside of the layers, in the policy's dtypes: leaves that add up their gradients in
  // fp32.
  TensorMap rest_;
  std::optional<Bagel> policy_, reference_;
};

}  // namespace lvrpo
