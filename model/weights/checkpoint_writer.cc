#include "model/weights/checkpoint_writer.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/files/file.h"
#include "common/files/folder.h"
#include "common/json/json_text.h"
#include "data/safetensors/safetensors_writer.h"
#include "model/weights/tensor_dtypes.h"
#include "nlohmann/json.hpp"

namespace lvrpo {
namespace {

constexpr int64_t kPieceElements = int64_t{1} << 22;

absl::Status WriteTensor(const TensorSource& tensor, SafetensorsWriter& writer) {
  const int64_t total = tensor.elements();
  torch::Tensor piece = torch::empty({std::min(total, kPieceElements)}, tensor.dtype);
  for (int64_t first = 0; first < total; first += kPieceElements) {
    torch::Tensor into = piece.narrow(0, 0, std::min(kPieceElements, total - first));
    if (absl::Status status = tensor.read(first, into); !status.ok()) return status;
    const absl::string_view bytes(static_cast<const char*>(into.data_ptr()),
                                  static_cast<size_t>(into.nbytes()));
    if (absl::Status status = writer.Append(bytes); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status WriteFile(const std::string& path, const std::vector<const TensorSource*>& tensors) {
  std::vector<SafetensorsDescription> described;
  std::map<std::string, const TensorSource*> by_name;
  for (const TensorSource* tensor : tensors) {
    described.push_back(
        {tensor->name, SafetensorsDtype(tensor->dtype), {tensor->shape.begin(), tensor->shape.end()}});
    by_name[tensor->name] = tensor;
  }
  absl::StatusOr<std::unique_ptr<SafetensorsWriter>> writer =
      SafetensorsWriter::Create(path, std::move(described), {{"format", "pt"}});
  if (!writer.ok()) return writer.status();
  for (const SafetensorsDescription& tensor : (*writer)->order()) {
    if (absl::Status status = WriteTensor(*by_name.at(tensor.name), **writer); !status.ok()) return status;
  }
  return (*writer)->Finish();
}

}  // namespace

int64_t TensorSource::elements() const {
  int64_t count = 1;
  for (const int64_t dimension : shape) count *= dimension;
  return count;
}

TensorSource SourceOf(const StoredWeights& weights, const std::string& name, torch::Dtype dtype) {
  return {
      name, ShapeOf(weights.index().tensors.at(name)), dtype,
      [&weights, name](int64_t first, torch::Tensor into) { return weights.ReadPiece(name, first, into); }};
}

TensorSource SourceOf(const std::string& name, const torch::Tensor& tensor, torch::Dtype dtype) {
  const torch::Tensor flat = tensor.detach().reshape({-1});
  return {name, tensor.sizes().vec(), dtype, [flat](int64_t first, torch::Tensor into) {
            into.copy_(flat.narrow(0, first, into.numel()));
            return absl::OkStatus();
          }};
}

absl::Status WriteCheckpoint(const std::string& folder, const std::string& stem,
                             const std::vector<TensorSource>& tensors, int64_t max_shard_bytes) {
  std::vector<std::vector<const TensorSource*>> shards(1);
  int64_t total = 0, in_shard = 0;
  for (const TensorSource& tensor : tensors) {
    if (max_shard_bytes > 0 && !shards.back().empty() && in_shard + tensor.bytes() > max_shard_bytes) {
      shards.emplace_back();
      in_shard = 0;
    }
    shards.back().push_back(&tensor);
    in_shard += tensor.bytes();
    total += tensor.bytes();
  }
  if (shards.size() == 1) return WriteFile(JoinPath(folder, stem + ".safetensors"), shards[0]);
  nlohmann::json index = {{"metadata", {{"total_size", total}}}};
  for (size_t i = 0; i < shards.size(); ++i) {
    const std::string name = absl::StrFormat("model-%05d-of-%05d.safetensors", i + 1, shards.size());
    if (absl::Status status = WriteFile(JoinPath(folder, name), shards[i]); !status.ok()) return status;
    for (const TensorSource* tensor : shards[i]) index["weight_map"][tensor->name] = name;
  }
  return WriteFileAtomic(JoinPath(folder, "model.safetensors.index.json"), JsonText(index, 1) + "\n");
}

const std::vector<std::string>& SettingsFiles() {
  static const std::vector<std::string>* const names =
      new std::vector<std::string>{"config.json", "llm_config.json", "vit_config.json",
                                   "generation_config.json", "preprocessor_config.json"};
  return *names;
}

const std::vector<std::string>& TokenizerFiles() {
  static const std::vector<std::string>* const names = new std::vector<std::string>{
      "tokenizer.json",    "tokenizer_config.json",   "vocab.json",         "merges.txt",
      "added_tokens.json", "special_tokens_map.json", "chat_template.jinja"};
  return *names;
}

absl::Status CopyFiles(const std::string& from, const std::string& to,
                       const std::vector<std::string>& names) {
  constexpr uint64_t kPieceBytes = uint64_t{4} << 20;
  std::string piece;
  for (const std::string& name : names) {
    const absl::StatusOr<std::shared_ptr<const RandomAccessFile>> source =
        RandomAccessFile::Open(JoinPath(from, name));
    if (absl::IsNotFound(source.status())) continue;
    if (!source.ok()) return source.status();
    absl::StatusOr<std::unique_ptr<AtomicFile>> target = AtomicFile::Create(JoinPath(to, name));
    if (!target.ok()) return target.status();
    for (uint64_t begin = 0; begin < (*source)->size(); begin += kPieceBytes) {
      piece.resize(std::min(kPieceBytes, (*source)->size() - begin));
      if (absl::Status status = (*source)->Read(begin, piece.data(), piece.size()); !status.ok())
        return status;
      if (absl::Status status = (*target)->Append(piece); !status.ok()) return status;
    }
    if (absl::Status status = (*target)->Commit(); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status MakeWholeFolder(const std::string& path,
                             const std::function<absl::Status(const std::string& unfinished)>& fill) {
  const absl::StatusOr<std::string> target = AbsolutePath(path);
  if (!target.ok()) return target.status();
  const absl::StatusOr<PathKind> kind = KindOf(*target);
  if (!kind.ok()) return kind.status();
  if (*kind != PathKind::kMissing)
    return absl::FailedPreconditionError(absl::StrCat(path, " exists already: choose another folder"));
  return WriteFolderAtomic(*target, fill);
}

}  // namespace lvrpo
