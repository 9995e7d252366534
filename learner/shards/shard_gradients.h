#pragma once

#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "learner/shards/shards.h"
#include "learner/step/group_work.h"

namespace lvrpo {

// The gradients of this rank's parts, added up over ranks as backward passes yield them.
//
// By default ranks are added where their gradients meet (a reduce-scatter of each layer's), pass after pass.
// `ordered`: gradients of different groups are kept apart, one part of each a group, and added in the order
// of the step when all are there, as GradientSum does: the same bits for any number of ranks, sharded or not.
//
// Not thread-safe.
class ShardGradients {
 public:
  // Both must outlive it.
  ShardGradients(const Shards& shards, bool ordered) : shards_(shards), ordered_(ordered) {}

  // Whose gradients come next, until the next call: `places` by rank. Empty: all ranks compute the same.
  void BeginGroups(GroupWork::Places places) { places_ = std::move(places); }
  // Begins to add a unit's gradients: this rank's tensors, of which some or all may be missing.
  void Add(size_t unit, const TensorMap& gradients);
  // Waits for what Add() has begun.
  absl::Status Wait();
  // Makes the sums the gradients of the parts, where those are, and forgets them. Parts of units
  // that no pass has reached get none. `groups`: of the step, all in places below that.
  absl::Status Finish(size_t groups);
  void Clear();

 private:
  using Sums = std::map<size_t, torch::Tensor>;  // by unit
  // A unit's gradients on their way.
  struct Adding {
    size_t unit;
    GroupWork::Places places;  // empty: sums over ranks, else all ranks' gradients
    Shards::Exchange exchange;
  };
  static void AddTo(Sums& sums, size_t unit, const torch::Tensor& gradient);

  const Shards& shards_;
  const bool ordered_;
  GroupWork::Places places_;
  std::optional<Adding> adding_;  // at most one, while the next layer computes
  Sums sums_;
  std::map<size_t, Sums> groups_;  // by place
};

}  // namespace lvrpo
