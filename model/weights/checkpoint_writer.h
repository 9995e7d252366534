#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "model/weights/stored_weights.h"
#include "model/weights/weights.h"

namespace lvrpo {

// A tensor to be written, read a few MiB at a time.
struct TensorSource {
  std::string name;
  std::vector<int64_t> shape;
  torch::Dtype dtype;  // in the file
  // Fills `into` (one dimension, contiguous, of `dtype`) with the elements from `first` on, row-major.
  std::function<absl::Status(int64_t first, torch::Tensor into)> read;

  int64_t elements() const;
  int64_t bytes() const { return elements() * static_cast<int64_t>(torch::elementSize(dtype)); }
};

// A stored tensor, or one in memory, written as `dtype`. `weights` must outlive the source.
TensorSource SourceOf(const StoredWeights& weights, const std::string& name, torch::Dtype dtype);
TensorSource SourceOf(const std::string& name, const torch::Tensor& tensor, torch::Dtype dtype);

// Writes a checkpoint in the published layout, streaming: memory holds one block of one tensor. Without a
// limit, or when all fits into it, the file is <folder>/<stem>.safetensors; otherwise shards of at most
// `max_shard_bytes` of data (a larger tensor has one to itself) in the order of `tensors`,
// model-00001-of-0000N.safetensors, with model.safetensors.index.json. Every file appears whole, the index
// last.
absl::Status WriteCheckpoint(const std::string& folder, const std::string& stem,
                             const std::vector<TensorSource>& tensors, int64_t max_shard_bytes = 0);

// The files of a published folder other than its weights.
const std::vector<std::string>& SettingsFiles();
const std::vector<std::string>& TokenizerFiles();
// Copies those of `names` that `from` has; missing ones are skipped, I/O errors returned.
absl::Status CopyFiles(const std::string& from, const std::string& to, const std::vector<std::string>& names);

// WriteFolderAtomic (common/files/folder.h) for a folder that must be new: FailedPrecondition when `path`
// exists.
absl::Status MakeWholeFolder(const std::string& path,
                             const std::function<absl::Status(const std::string& unfinished)>& fill);

}  // namespace lvrpo
