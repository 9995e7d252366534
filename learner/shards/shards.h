#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "collectives/collectives.h"
#include "learner/shards/shard_layout.h"
#include "model/weights/weights.h"

namespace lvrpo {

// Where a rank keeps its parts: those that are trained where the optimizers step them, and the others where
// it computes, as all that is exchanged. They differ with learner.offload on a GPU.
struct ShardDevices {
  torch::Device masters = torch::kCPU, compute = torch::kCPU;
};

// This rank's parts of all units, and the exchange of parts between ranks. With one rank a part is the whole
// unit, and nothing is exchanged. All ranks make the same calls in the same order. Not thread-safe.
//
// Trained parts are fp32 masters; what is gathered of them for computing has the unit's dtype. Errors are
// Aborted (RanksAreLost).
class Shards {
 public:
  // `collectives`: null with one rank. It must outlive this.
  Shards(std::vector<ShardUnit> units, Collectives* collectives, const ShardDevices& devices = {});

  int rank() const { return collectives_ == nullptr ? 0 : collectives_->rank(); }
  int ranks() const { return collectives_ == nullptr ? 1 : collectives_->size(); }
  size_t size() const { return units_.size(); }
  const ShardUnit& unit(size_t i) const { return units_[i]; }
  const ShardDevices& devices() const { return devices_; }
  // This rank's part [count / ranks], fp32 when the unit is trained. The optimizer changes it in place.
  const torch::Tensor& part(size_t i) const { return parts_[i]; }

  // Fills this rank's part from the unit's tensors, which may be of any dtype.
  void Fill(size_t i, const TensorMap& whole);
  // This rank's part of a flat buffer [count].
  torch::Tensor OwnPart(const torch::Tensor& flat) const;
  // The unit's tensors as one flat fp32 buffer [count] on the device; missing and undefined ones are zeros.
  torch::Tensor Flatten(size_t i, const TensorMap& tensors, torch::Device device) const;
  // The tensors of a flat buffer [count], sharing its memory.
  TensorMap Split(size_t i, const torch::Tensor& flat) const;
  // What is of the unit's tensors in rank `of`'s `part` [count / ranks]: pieces of them, flat, sharing its
  // memory.
  TensorMap Pieces(size_t i, const torch::Tensor& part, int of) const;

  // An exchange in progress: `result` is there when Wait() has returned OK.
  struct Exchange {
    torch::Tensor sent, result;
    std::unique_ptr<Pending> pending;  // null: nothing was exchanged
    absl::Status Wait();
  };
  // The whole unit [count], in its dtype, where this rank computes.
  Exchange Gather(size_t i) const;
  // All ranks' `part`s [n] of anything that lies there, [ranks n].
  Exchange GatherParts(const torch::Tensor& part) const;
  // The sum over ranks of their flat fp32 buffers [count]: this rank's part.
  Exchange ReduceScatter(const torch::Tensor& flat) const;

 private:
  const std::vector<ShardUnit> units_;
  Collectives* const collectives_;
  const ShardDevices devices_;
  std::vector<torch::Tensor> parts_;
};

}  // namespace lvrpo
