#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "data/safetensors/random_access_file.h"
#include "data/safetensors/safetensors_layout.h"

namespace lvrpo {

// The tensors of a checkpoint, with the file and offsets of each: read from the headers alone, in
// milliseconds whatever the checkpoint's size. A checkpoint is one safetensors file, or shards with an index
// (huggingface/huggingface_hub:src/huggingface_hub/serialization). The files stay open. Immutable but for
// `tensors`, from which a reader may remove what it does not want.
struct CheckpointIndex {
  struct Tensor : SafetensorsPlace {
    size_t file = 0;  // in `files`
  };
  std::string source;  // the file, or the index, for messages
  std::vector<std::shared_ptr<const RandomAccessFile>> files;
  std::map<std::string, Tensor> tensors;

  const RandomAccessFile& file_of(const Tensor& tensor) const { return *files[tensor.file]; }
};

// One file. NotFound, or DataLoss with what is wrong.
absl::StatusOr<CheckpointIndex> OpenCheckpointFile(const std::string& path);

// The checkpoint of this stem in a folder: the shards that <stem>.safetensors.index.json lists when there is
// such an index, otherwise <stem>.safetensors. Of several stems the first that exists: {"ema", "model"}.
// NotFound names the files that were looked for. DataLoss when a shard is outside the folder (its name has a
// slash or is ..) or is missing, when a tensor is in two shards, not in the shard that the index says, or in
// a shard but not in the index. A shard may be a symbolic link, as in a download cache.
absl::StatusOr<CheckpointIndex> OpenCheckpoint(const std::string& folder,
                                               const std::vector<std::string>& stems);

}  // namespace lvrpo
