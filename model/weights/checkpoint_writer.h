#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "model/weights/stored_weights.h"
#include "model/weights/weights.h"

namespace lvrpo {

// One tensor to be written, and how to get at its elements a few MiB at a time.
struct TensorSource {
  std::string name;
  std::vector<int64_t> shape;
  torch::Dtype dtype;  // as it is to be written
  // Fills `into` (one dimension, contiguous, of `dtype`) with the elements from `first` on, row-major.
  std::function<absl::Status(int64_t first, torch::Tensor into)> read;

  int64_t elements() const;
  int64_t bytes() const { return elements() * static_cast<int64_t>(torch::elementSize(dtype)); }
};

// A stored tensor, or one in memory, written as `dtype`. `weights` must outlive the source.
TensorSource SourceOf(const StoredWeights& weights, const std::string& name, torch::Dtype dtype);
TensorSource SourceOf(const std::string& name, const torch::Tensor& tensor, torch::Dtype dtype);

// Writes a checkpoint in the published layout, streaming: memory holds one piece of one tensor. Without a
// limit, or when all fits into it, the file is <folder>/<stem>.safetensors; otherwise shards of at most
// `max_shard_bytes` of data (a larger tensor has one to itself) in the order of `tensors`,
// model-00001-of-0000N.safetensors, with model.safetensors.index.json. Every file appears whole, the index
// last.
absl::Status WriteCheckpoint(const std::string& folder, const std::string& stem,
                             const std::vector<TensorSource>& tensors, int64_t max_shard_bytes = 0);

// The files of a published folder beside its weights; those that are not there are left out.
const std::vector<std::string>& SettingsFiles();
const std::vector<std::string>& TokenizerFiles();
// Copies those of these files that `from` has. NotFound never; what cannot be read or written is an error.
absl::Status CopyFiles(const std::string& from, const std::string& to, const std::vector<std::string>& names);

// Makes a folder out of what `fill` writes: under a name beside `path` while it works, under `path` when it
// returned OK. FailedPrecondition when `path` exists; nothing is left when `fill` fails.
absl::Status MakeWholeFolder(const std::string& path,
                             const std::function<absl::Status(const std::string& unfinished)>& fill);

}  // namespace lvrpo
