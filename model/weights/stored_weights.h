#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "data/safetensors/checkpoint_index.h"
#include "model/weights/weights.h"

namespace lvrpo {

struct WeightReadOptions {
  // What floating-point tensors are cast to; nullopt keeps what is stored. Other tensors are never cast.
  std::optional<torch::Dtype> dtype = torch::kFloat32;
  // Tensors that need no cast and are aligned become views of the file instead of copies: nothing is read
  // until it is used, and processes share the pages. The views may be written: the mapping is private, a
  // written page becomes a copy, the file never changes. Each view keeps its file mapped. Only for local
  // files that nobody changes in place: one that is cut short while it is mapped ends the process with SIGBUS
  // (replacing it by a rename is safe).
  bool map = false;
};

// A published checkpoint's weights, one file or shards, opened but not read: what is in it is known and can
// be checked before a byte of data is touched. Tensors are then read in pieces of a few MiB straight into
// their place, cast on the way, on all of torch's threads; besides what is kept only those pieces take
// memory. Reading is thread-safe.
class StoredWeights {
 public:
  // As OpenCheckpoint and OpenCheckpointFile (data/safetensors/checkpoint_index.h).
  static absl::StatusOr<StoredWeights> Open(const std::string& folder, const std::vector<std::string>& stems);
  static absl::StatusOr<StoredWeights> OpenFile(const std::string& path);

  const CheckpointIndex& index() const { return index_; }
  const std::string& source() const { return index_.source; }
  // Rows of a tensor of two dimensions; nullopt when it is not there or not of that kind.
  std::optional<int64_t> RowsOf(const std::string& name) const;
  // Forgets the tensors of these names: what a publisher stores and a model does not use.
  void Drop(const std::function<bool(const std::string& name)>& unwanted);
  // Names the tensors as `expected` does where one common prefix is all that is different: takes off what
  // they have in front more ("module.", "model."), or puts in front what they lack.
  void AlignNames(const ShapeMap& expected);

  // DataLoss unless the tensors are exactly these, all of a floating-point dtype that can be read: names
  // every missing, unexpected and mis-shaped tensor and wrong dtype (the first ten of each).
  absl::Status Check(const ShapeMap& expected) const;

  // All tensors. DataLoss when a file was changed meanwhile, Unimplemented for a dtype that cannot be held,
  // ResourceExhausted when memory does not suffice.
  absl::StatusOr<TensorMap> Read(const WeightReadOptions& options = {}) const;

  // Elements [first, first + into.numel()) of a tensor, row-major, cast to the dtype of `into`, which is
  // contiguous. Reads pieces of `into`'s size: meant for some MiB.
  absl::Status ReadPiece(const std::string& name, int64_t first, torch::Tensor into) const;

 private:
  explicit StoredWeights(CheckpointIndex index) : index_(std::move(index)) {}
  CheckpointIndex index_;
};

// The shape as torch wants it.
std::vector<int64_t> ShapeOf(const SafetensorsPlace& place);

}  // namespace lvrpo
