#include "model/folders/export.h"

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/files/file.h"
#include "common/hash.h"
#include "common/json/json_text.h"
#include "model/bagel.h"
#include "model/bagel_folder.h"
#include "model/config/config_reader.h"
#include "model/expert_seed.h"
#include "model/weights/lora_file.h"
#include "model/weights/tensor_dtypes.h"

namespace lvrpo {
namespace {

absl::StatusOr<std::string> FileDigest(const std::string& path) {
  constexpr uint64_t kPieceBytes = uint64_t{4} << 20;
  const absl::StatusOr<std::shared_ptr<const RandomAccessFile>> file = RandomAccessFile::Open(path);
  if (!file.ok()) return file.status();
  Sha256 hash;
  std::string piece;
  for (uint64_t begin = 0; begin < (*file)->size(); begin += kPieceBytes) {
    piece.resize(std::min(kPieceBytes, (*file)->size() - begin));
    if (absl::Status status = (*file)->Read(begin, piece.data(), piece.size()); !status.ok()) return status;
    hash.Update(piece);
  }
  return hash.FinishHex();
}

absl::StatusOr<StoredWeights> OpenRunCheckpoint(const std::string& folder) {
  const std::string manifest_path = JoinPath(folder, "manifest.json");
  const absl::StatusOr<nlohmann::json> manifest = ReadJsonObject(manifest_path);
  if (!manifest.ok()) return manifest.status();
  const std::string path = JoinPath(folder, "policy.safetensors");
  const absl::StatusOr<std::string> digest = FileDigest(path);
  if (!digest.ok()) return digest.status();
  const auto files = manifest->find("files");
  if (files == manifest->end() || !files->is_object() || !files->contains("policy.safetensors") ||
      (*files)["policy.safetensors"] != *digest) {
    return absl::DataLossError(
        absl::StrCat(path, " is damaged: its checksum is not the one in ", manifest_path));
  }
  return StoredWeights::OpenFile(path);
}

// The step_* folder of the highest step; "" when there is none.
std::string NewestCheckpoint(const std::string& folder) {
  int64_t newest = -1;
  std::string path;
  const absl::StatusOr<std::vector<std::string>> names = ListFolder(folder);
  for (const std::string& name : names.ok() ? *names : std::vector<std::string>()) {
    int64_t step = 0;
    if (!absl::StartsWith(name, "step_") || !absl::SimpleAtoi(name.substr(5), &step) || step <= newest)
      continue;
    newest = step;
    path = JoinPath(folder, name);
  }
  return path;
}

// W + scale B A of the layer that `weight` gives, a block of rows at a time.
TensorSource MergedSource(const TensorSource& weight, const torch::Tensor& a, const torch::Tensor& b,
                          double scale) {
  TensorSource merged = weight;
  merged.read = [read = weight.read, a, b, scale](int64_t first, torch::Tensor into) {
    torch::Tensor wide = torch::empty({into.numel()}, torch::kFloat32);
    if (absl::Status status = read(first, wide); !status.ok()) return status;
    const int64_t columns = a.size(1), row = first / columns;
    const int64_t rows = (first + into.numel() + columns - 1) / columns - row;
    const torch::Tensor change = torch::matmul(b.narrow(0, row, rows), a).flatten();
    into.copy_(wide + scale * change.narrow(0, first - row * columns, into.numel()));
    return absl::OkStatus();
  };
  return merged;
}

// The tensor, refused when a value is not finite in the dtype it is written as.
TensorSource FiniteSource(const TensorSource& tensor, const std::string& base) {
  TensorSource checked = tensor;
  checked.read = [read = tensor.read, name = tensor.name, base](int64_t first, torch::Tensor into) {
    if (absl::Status status = read(first, into); !status.ok()) return status;
    if (!into.is_floating_point() || torch::isfinite(into).all().item<bool>()) return absl::OkStatus();
    const int64_t at = torch::isfinite(into).logical_not().nonzero()[0].item<int64_t>();
    return absl::DataLossError(absl::StrCat("the policy to be written from ", base, ": ", name,
                                            " has a value that is not finite (NaN, infinity, or "
                                            "too large for the dtype), the first at element ",
                                            first + at,
                                            ": such a model answers nothing. Look "
                                            "at what it was trained from, or take an earlier checkpoint"));
  };
  return checked;
}

absl::Status MergeAdapter(const std::string& folder, const BagelConfig& config,
                          std::vector<TensorSource>& tensors) {
  const absl::StatusOr<LoraAdapter> adapter = LoadAdapter(folder, Bagel::ExpectedTensors(config));
  if (!adapter.ok()) return adapter.status();
  for (TensorSource& tensor : tensors) {
    if (!absl::EndsWith(tensor.name, ".weight")) continue;
    const std::string module = tensor.name.substr(0, tensor.name.size() - std::string(".weight").size());
    const auto a = adapter->tensors.find(module + kLoraA), b = adapter->tensors.find(module + kLoraB);
    if (a == adapter->tensors.end() || b == adapter->tensors.end()) continue;
    tensor = MergedSource(tensor, a->second, b->second, adapter->scales.at(module));
  }
  for (TensorSource& tensor : tensors) {
    const auto whole = adapter->whole.find(tensor.name);
    if (whole != adapter->whole.end()) tensor = SourceOf(tensor.name, whole->second, tensor.dtype);
  }
  return absl::OkStatus();
}

// The tensors of the model with a top_k router, each expert read from the weights that it copies.
absl::Status RouteToExperts(const ExportOptions& options, BagelConfig config,
                            std::vector<TensorSource>& tensors) {
  if (config.router.top_k) return absl::InvalidArgumentError("the base's router is top_k already");
  if (const std::string problem = options.router.Problem(); !problem.empty())
    return absl::InvalidArgumentError(problem);
  config.router = options.router;
  std::map<std::string, const TensorSource*> hard;
  for (const TensorSource& tensor : tensors) hard[tensor.name] = &tensor;
  std::vector<TensorSource> routed;
  torch::Dtype dtype = torch::kFloat32;
  for (const auto& [name, shape] : Bagel::ExpectedTensors(config)) {
    const std::string seed = SeedOfExpert(name, config.router);
    const auto from = hard.find(seed.empty() ? name : seed);
    if (from == hard.end()) continue;  // the gates, which follow
    routed.push_back(*from->second);
    routed.back().name = name;
    dtype = routed.back().dtype;
  }
  for (TensorSource& gate : GateSeeds(config, dtype, options.router_seed)) routed.push_back(std::move(gate));
  tensors = std::move(routed);
  return absl::OkStatus();
}

// The base's config.json with the router added.
absl::Status WriteRouter(const RouterConfig& router, const std::string& folder) {
  const std::string path = JoinPath(folder, "config.json");
  absl::StatusOr<nlohmann::json> json = ReadJsonObject(path);
  if (absl::IsNotFound(json.status())) json = nlohmann::json::object({{"model_type", "bagel"}});
  if (!json.ok()) return json.status();
  (*json)["router"] = RouterJson(router);
  return WriteFileAtomic(path, JsonText(*json, 1) + "\n");
}

}  // namespace

absl::StatusOr<StoredWeights> OpenTrainedWeights(const std::string& path) {
  const absl::StatusOr<PathKind> kind = KindOf(path);
  if (!kind.ok()) return kind.status();
  if (*kind != PathKind::kFolder) return StoredWeights::OpenFile(path);
  if (Exists(JoinPath(path, "policy.safetensors"))) return OpenRunCheckpoint(path);
  const std::string newest = NewestCheckpoint(JoinPath(path, "checkpoints"));
  if (!newest.empty()) return OpenRunCheckpoint(newest);
  absl::StatusOr<StoredWeights> model = StoredWeights::Open(path, {"ema", "model"});
  if (model.ok() || !absl::IsNotFound(model.status())) return model;
  return absl::NotFoundError(absl::StrCat(path,
                                          " holds neither policy.safetensors nor checkpoints/step_*: want a "
                                          "run folder, a checkpoint folder or a safetensors file"));
}

absl::StatusOr<std::string> AdapterOf(const StoredWeights& trained) {
  const auto& tensors = trained.index().tensors;
  if (tensors.empty() || !IsLoraName(tensors.begin()->first)) return std::string();
  const std::string folder = JoinPath(ParentFolder(trained.source()), "adapter");
  if (Exists(JoinPath(folder, "adapter_config.json"))) return folder;
  return absl::NotFoundError(absl::StrCat(trained.source(),
                                          " holds LoRA adapters, whose settings should be in ", folder,
                                          "; give a checkpoint or run folder, or --adapter alone"));
}

absl::Status ExportBagel(const std::string& base, const std::vector<TensorSource>& trained,
                         const std::string& folder, const ExportOptions& options) {
  const torch::NoGradGuard no_grad;
  const absl::StatusOr<BagelFolder> opened = OpenBagelFolder(base);
  if (!opened.ok()) return opened.status();
  std::map<std::string, const TensorSource*> replaced;
  ShapeMap places, shapes;
  for (const TensorSource& tensor : trained) {
    replaced[tensor.name] = &tensor;
    shapes[tensor.name] = tensor.shape;
    const auto place = opened->weights.index().tensors.find(tensor.name);
    if (place != opened->weights.index().tensors.end()) places[tensor.name] = ShapeOf(place->second);
  }
  if (absl::Status status = CheckShapes(places, shapes, "the set of trained tensors"); !status.ok())
    return absl::DataLossError(absl::StrCat(base, " is not the base that was trained: ", status.message()));
  std::vector<TensorSource> tensors;
  for (const auto& [name, stored] : opened->weights.index().tensors) {
    const torch::Dtype dtype = options.dtype.value_or(*TorchDtype(stored.dtype));
    const auto found = replaced.find(name);
    if (found == replaced.end()) {
      tensors.push_back(SourceOf(opened->weights, name, dtype));
    } else {
      tensors.push_back(*found->second);
      tensors.back().dtype = dtype;
    }
  }
  if (!options.adapter.empty()) {
    if (absl::Status status = MergeAdapter(options.adapter, opened->config, tensors); !status.ok())
      return status;
  }
  if (options.router.top_k) {
    if (absl::Status status = RouteToExperts(options, opened->config, tensors); !status.ok()) return status;
  }
  for (TensorSource& tensor : tensors) tensor = FiniteSource(tensor, base);
  return MakeWholeFolder(folder, [&](const std::string& unfinished) {
    for (const auto& names :
         {SettingsFiles(), TokenizerFiles(), std::vector<std::string>{"ae.safetensors"}}) {
      if (absl::Status status = CopyFiles(base, unfinished, names); !status.ok()) return status;
    }
    if (options.router.top_k) {
      if (absl::Status status = WriteRouter(options.router, unfinished); !status.ok()) return status;
    }
    return WriteCheckpoint(unfinished, "ema", tensors, options.max_shard_bytes);
  });
}

absl::Status ExportBagel(const std::string& base, const TensorMap& trained, const std::string& folder,
                         const ExportOptions& options) {
  std::vector<TensorSource> sources;
  for (const auto& [name, tensor] : trained) sources.push_back(SourceOf(name, tensor, tensor.scalar_type()));
  return ExportBagel(base, sources, folder, options);
}

absl::Status ExportBagel(const std::string& base, const StoredWeights& stored, const std::string& folder,
                         const ExportOptions& options) {
  const absl::StatusOr<BagelFolder> opened = OpenBagelFolder(base);
  if (!opened.ok()) return opened.status();
  StoredWeights trained = stored;
  trained.AlignNames(Bagel::ExpectedTensors(opened->config));
  std::map<std::string, std::string> dtypes;
  std::vector<TensorSource> sources;
  for (const auto& [name, tensor] : trained.index().tensors) {
    dtypes[name] = tensor.dtype;
    sources.push_back(SourceOf(trained, name, torch::kFloat32));
  }
  if (absl::Status status = CheckWeightDtypes(dtypes, trained.source()); !status.ok()) return status;
  return ExportBagel(base, sources, folder, options);
}

}  // namespace lvrpo
