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
  // files that nobody changes in place: truncating a mapped file ends the process with SIGBUS
  // (replacing it by a rename is safe).
  bool map = false;
};

// A published checkpoint's weights, one file or shards, opened but not read: names, shapes and dtypes can be
// checked before any data is read. Tensors are then read in blocks of a few MiB into their final memory, cast
// on the way, on all of torch's threads; only those blocks take extra memory. Reading is thread-safe.
class StoredWeights {
 public:
  // As OpenCheckpoint and OpenCheckpointFile (data/safetensors/checkpoint_index.h).
  static absl::StatusOr<StoredWeights> Open(const std::string& folder, const std::vector<std::string>& stems);
  static absl::StatusOr<StoredWeights> OpenFile(const std::string& path);

  const CheckpointIndex& index() const { return index_; }
  const std::string& source() const { return index_.source; }
  // Rows of a tensor of two dimensions; nullopt when it is missing or has another number of dimensions.
  std::optional<int64_t> RowsOf(const std::string& name) const;
  // Drops the tensors with unwanted names: those that a publisher stores and a model does not use.
  void Drop(const std::function<bool(const std::string& name)>& unwanted);
  // Names the tensors as `expected` does where they differ by one common prefix: removes it
  // ("module.", "model."), or adds it where it is missing.
  void AlignNames(const ShapeMap& expected);

  // DataLoss unless the tensors are exactly these, all of a floating-point dtype that can be read: names
  // every missing, unexpected and mis-shaped tensor and wrong dtype (the first ten of each).
  absl::Status Check(const ShapeMap& expected) const;

  // All tensors. DataLoss when a file was changed meanwhile, Unimplemented for a dtype that torch cannot
  // hold, ResourceExhausted when memory does not suffice.
  absl::StatusOr<TensorMap> Read(const WeightReadOptions& options = {}) const;

  // Elements [first, first + into.numel()) of a tensor, row-major, cast to the dtype of `into`, which is
  // contiguous. Reads all of `into` at once: meant for a few MiB.
  absl::Status ReadPiece(const std::string& name, int64_t first, torch::Tensor into) const;

 private:
  explicit StoredWeights(CheckpointIndex index) : index_(std::move(index)) {}
  CheckpointIndex index_;
};

// The shape as torch wants it.
std::vector<int64_t> ShapeOf(const SafetensorsPlace& place);

}  // namespace lvrpo
