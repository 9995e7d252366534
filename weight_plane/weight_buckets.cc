#include "weight_plane/weight_buckets.h"

#include <cstring>
#include <utility>
#include <vector>

namespace lvrpo {

PackedWeights PackWeights(const TensorMap& tensors, int64_t number) {
  WeightPacker packer;
  for (const auto& [name, tensor] : tensors) {
    packer.Add(name, tensor.sizes().vec(), [source = tensor.detach()](char* into) {
      torch::from_blob(into, source.sizes(), torch::kFloat32).copy_(source);
    });
  }
  return std::move(packer).Seal(number);
}

TensorMap UnpackWeights(const VerifiedWeights& weights) {
  TensorMap tensors;
  for (const v1::TensorEntry& entry : weights.manifest().tensors()) {
    torch::Tensor tensor = torch::empty(std::vector<int64_t>(entry.shape().begin(), entry.shape().end()));
    if (entry.size() > 0) {
      const Bucket& bucket = weights.buckets()[static_cast<size_t>(entry.bucket())];
      std::memcpy(tensor.data_ptr(), bucket.data() + entry.offset(), static_cast<size_t>(entry.size()));
    }
    tensors[entry.name()] = tensor;
  }
  return tensors;
}

}  // namespace lvrpo
