#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "model/layers/layer_source.h"
#include "model/weights/weights.h"

// How a model's tensors are divided between the ranks of a learner. Arithmetic on names and shapes.
namespace lvrpo {

// Who a tensor belongs to.
enum class ShardOwner {
  kFrozen,     // nobody trains it: the policy and the reference share it
  kImage,      // trained for images
  kText,       // trained for texts
  kReference,  // the reference's copy of a trained tensor
};

// Tensors that are sharded as one flat buffer: those of one owner in one half of a decoder layer, or those
// that one owner has outside of the layers. Each rank has an equal part of the buffer.
struct ShardUnit {
  struct Part {
    std::string tensor;
    std::vector<int64_t> shape;
    int64_t begin = 0;  // in the buffer, in elements; a multiple of kShardAlignment
  };
  std::string name;  // "layers.3.gen.image": also that of the optimizer's parameter
  ShardOwner owner = ShardOwner::kFrozen;
  std::optional<int64_t> layer;  // none: outside of the layers
  Halves used_by;                // streams of tokens that need it; a shared pool of experts: either of them
  torch::Dtype dtype = torch::kFloat32;  // in which it is computed with
  std::vector<Part> parts;               // in name order
  int64_t count = 0;                     // elements, with padding: a multiple of ranks * kShardAlignment

  bool trained() const { return owner == ShardOwner::kImage || owner == ShardOwner::kText; }
  bool NeededFor(Halves halves) const { return (used_by.und && halves.und) || (used_by.gen && halves.gen); }
};

// Elements. 256 bytes of fp32: vector instructions see the same alignment whatever the number of ranks.
inline constexpr int64_t kShardAlignment = 64;

struct ShardedTensor {
  std::vector<int64_t> shape;
  torch::Dtype dtype = torch::kFloat32;
  ShardOwner owner = ShardOwner::kFrozen;
};

// The units of these tensors, in an order that depends on nothing else. Frozen tensors and the reference's
// outside of the layers are left out: every rank keeps them. The reference's tensors have the same names as
// the policy's, hence the pairs.
std::vector<ShardUnit> LayOutShards(const std::vector<std::pair<std::string, ShardedTensor>>& tensors,
                                    int ranks);

}  // namespace lvrpo
