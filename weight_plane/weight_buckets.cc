#include "weight_plane/weight_buckets.h"

#include <cstring>
#include <utility>

namespace lvrpo {

PackedWeights PackWeights(const TensorMap& tensors, int64_t number) {
  WeightPacker packer;
  for (const auto& [name, tensor] : tensors) {
    const torch::Tensor flat = tensor.detach().to(torch::kCPU, torch::kFloat32).contiguous();
    packer.Add(name, flat.sizes().vec(),
               {static_cast<const char*>(flat.data_ptr()), static_cast<size_t>(flat.numel()) * 4});
  }
  return std::move(packer).Seal(number);
}

TensorMap UnpackWeights(const VerifiedWeights& weights) {
  TensorMap tensors;
  for (const v1::TensorEntry& entry : weights.manifest().tensors()) {
    torch::Tensor tensor = torch::empty(std::vector<int64_t>(entry.shape().begin(), entry.shape().end()));
    if (entry.size() > 0) {
      const std::string& bucket = weights.buckets()[static_cast<size_t>(entry.bucket())];
      std::memcpy(tensor.data_ptr(), bucket.data() + entry.offset(), static_cast<size_t>(entry.size()));
    }
    tensors[entry.name()] = tensor;
  }
  return tensors;
}

}  // namespace lvrpo
