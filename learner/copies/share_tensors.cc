#include "learner/copies/share_tensors.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "data/safetensors/safetensors_layout.h"
#include "learner/copies/state_slices.h"
#include "learner/ranks/step_agreement.h"
#include "model/weights/tensor_dtypes.h"

namespace lvrpo {
namespace {

constexpr int64_t kMostHeader = int64_t{1} << 28;  // bytes
constexpr size_t kHeaderLength = 8;                // bytes that say how long the JSON is

absl::Status Broadcast(Collectives& ranks, int root, Span bytes) {
  const absl::Status status = ranks.Broadcast(bytes, root)->Wait();
  return status.ok() ? status : RanksAreLost(status);
}

// Names, dtypes and shapes, as a safetensors header has them.
std::string HeaderOf(const TensorMap& tensors) {
  std::vector<SafetensorsDescription> descriptions = DescriptionsOf(tensors);
  return SafetensorsHeader(descriptions, {});
}

// Tensors of these names, dtypes and shapes, in the same order on every rank. `total`: bytes of all.
absl::StatusOr<TensorMap> EmptyTensors(absl::string_view header, int64_t total) {
  const absl::StatusOr<SafetensorsLayout> layout =
      ParseSafetensorsLayout(header.substr(kHeaderLength), header.size() + static_cast<uint64_t>(total));
  if (!layout.ok()) return layout.status();
  TensorMap tensors;
  for (const auto& [name, place] : layout->tensors) {
    const absl::StatusOr<torch::Dtype> dtype = TorchDtype(place.dtype);
    if (!dtype.ok()) return dtype.status();
    tensors[name] =
        torch::empty(std::vector<int64_t>(place.shape.begin(), place.shape.end()), torch::dtype(*dtype));
  }
  return tensors;
}

}  // namespace

absl::Status ShareTensors(Collectives* ranks, int root, TensorMap& tensors) {
  if (ranks == nullptr) return absl::OkStatus();
  const bool gives = ranks->rank() == root;
  std::string header = gives ? HeaderOf(tensors) : "";
  int64_t sizes[] = {static_cast<int64_t>(header.size()), 0};
  for (const auto& [name, tensor] : tensors) sizes[1] += gives ? static_cast<int64_t>(tensor.nbytes()) : 0;
  if (absl::Status status = Broadcast(*ranks, root, {sizes, 2, Element::kInt64}); !status.ok()) return status;
  if (sizes[0] < static_cast<int64_t>(kHeaderLength) || sizes[0] > kMostHeader || sizes[1] < 0)
    return absl::InternalError(
        absl::StrCat("rank ", root, " gives tensors with a header of ", sizes[0], " bytes"));
  header.resize(static_cast<size_t>(sizes[0]));
  if (absl::Status status = Broadcast(*ranks, root, {header.data(), sizes[0], Element::kByte}); !status.ok())
    return status;
  if (!gives) {
    tensors.clear();
    absl::StatusOr<TensorMap> empty = EmptyTensors(header, sizes[1]);
    if (!empty.ok()) return empty.status();
    tensors = *std::move(empty);
  }
  for (const auto& [name, tensor] : tensors) {
    torch::Tensor plain = tensor.detach().cpu().contiguous();  // of those that receive: the tensor itself
    const Span bytes = {plain.data_ptr(), static_cast<int64_t>(plain.nbytes()), Element::kByte};
    if (absl::Status status = Broadcast(*ranks, root, bytes); !status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace lvrpo
