#include "model/weights/weights.h"

#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/hash.h"
#include "data/safetensors/safetensors.h"
#include "model/weights/stored_weights.h"
#include "model/weights/tensor_dtypes.h"

namespace lvrpo {
namespace {

absl::string_view BytesOf(const torch::Tensor& tensor) {
  return {static_cast<const char*>(tensor.data_ptr()), static_cast<size_t>(tensor.nbytes())};
}

std::string FirstTen(const std::vector<std::string>& names) {
  std::vector<std::string> first(names.begin(), names.begin() + std::min<size_t>(10, names.size()));
  return absl::StrCat(names.size(), " (", absl::StrJoin(first, ", "), names.size() > 10 ? ", ..." : "", ")");
}

}  // namespace

torch::Tensor FindTensor(const TensorMap& tensors, const std::string& name) {
  const auto found = tensors.find(name);
  return found == tensors.end() ? torch::Tensor() : found->second;
}

absl::StatusOr<TensorMap> LoadTensors(const std::string& path, std::optional<torch::Dtype> dtype) {
  const absl::StatusOr<StoredWeights> weights = StoredWeights::OpenFile(path);
  if (!weights.ok()) return weights.status();
  return weights->Read({.dtype = dtype});
}

absl::Status SaveTensors(const std::string& path, const TensorMap& tensors, std::optional<torch::Dtype> dtype,
                         const std::map<std::string, std::string>& metadata) {
  TensorMap kept;  // owns the bytes that the entries point to
  std::map<std::string, SafetensorsEntry> entries;
  for (const auto& [name, tensor] : tensors) {
    torch::Tensor plain = tensor.detach().cpu();
    if (dtype.has_value() && plain.is_floating_point()) plain = plain.to(*dtype);
    plain = plain.contiguous();
    kept[name] = plain;
    entries[name] = {
        SafetensorsDtype(plain.scalar_type()), {plain.sizes().begin(), plain.sizes().end()}, BytesOf(plain)};
  }
  return WriteSafetensors(path, entries, metadata);
}

absl::Status CheckShapes(const ShapeMap& expected, const ShapeMap& got, const std::string& source) {
  std::vector<std::string> missing, unexpected, misshaped;
  for (const auto& [name, shape] : expected) {
    const auto found = got.find(name);
    if (found == got.end()) {
      missing.push_back(name);
    } else if (found->second != shape) {
      misshaped.push_back(absl::StrCat(name, " [", absl::StrJoin(found->second, ","), "] instead of [",
                                       absl::StrJoin(shape, ","), "]"));
    }
  }
  for (const auto& [name, shape] : got) {
    if (!expected.contains(name)) unexpected.push_back(name);
  }
  if (missing.empty() && unexpected.empty() && misshaped.empty()) return absl::OkStatus();
  std::string message = absl::StrCat(source, " does not fit its configuration:");
  if (!missing.empty()) absl::StrAppend(&message, " missing tensors ", FirstTen(missing));
  if (!unexpected.empty()) absl::StrAppend(&message, " unexpected tensors ", FirstTen(unexpected));
  if (!misshaped.empty()) absl::StrAppend(&message, " tensors of another shape ", FirstTen(misshaped));
  return absl::DataLossError(message);
}

absl::Status CheckTensors(const ShapeMap& expected, const TensorMap& got, const std::string& source) {
  ShapeMap shapes;
  for (const auto& [name, tensor] : got) shapes[name] = tensor.sizes().vec();
  return CheckShapes(expected, shapes, source);
}

absl::Status CheckWeightDtypes(const std::map<std::string, std::string>& dtypes, const std::string& source) {
  std::vector<std::string> wrong;
  for (const auto& [name, dtype] : dtypes) {
    const absl::StatusOr<torch::Dtype> held = TorchDtype(dtype);
    if (!held.ok() || !torch::isFloatingType(*held))
      wrong.push_back(absl::StrCat(name, " has dtype ", dtype));
  }
  if (wrong.empty()) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat(source, ": weights must be F32, BF16, F16 or F64; other tensors ", FirstTen(wrong)));
}

absl::Status CheckWeights(const ShapeMap& expected, const TensorMap& got, const std::string& source) {
  if (absl::Status status = CheckTensors(expected, got, source); !status.ok()) return status;
  std::map<std::string, std::string> dtypes;
  for (const auto& [name, tensor] : got) dtypes[name] = SafetensorsDtype(tensor.scalar_type());
  if (absl::Status status = CheckWeightDtypes(dtypes, source); !status.ok()) return status;
  for (const auto& [name, dtype] : dtypes) {
    if (dtype == dtypes.begin()->second) continue;
    return absl::DataLossError(absl::StrCat(source, ": ", name, " is ", dtype, " and ", dtypes.begin()->first,
                                            " is ", dtypes.begin()->second,
                                            ": read the weights as one dtype"));
  }
  return absl::OkStatus();
}

absl::Status CheckFinite(const TensorMap& tensors, const std::string& source) {
  for (const auto& [name, tensor] : tensors) {
    if (!tensor.is_floating_point()) continue;
    const int64_t finite = torch::isfinite(tensor).sum().item<int64_t>();
    if (finite == tensor.numel()) continue;
    return absl::DataLossError(absl::StrCat(source, ": ", name, " has ", tensor.numel() - finite,
                                            " values that are not finite (NaN or infinity)"));
  }
  return absl::OkStatus();
}

std::string CommonPrefix(const ShapeMap& expected, const std::vector<std::string>& got) {
  std::map<std::string, int64_t> counts;  // names that are expected without a prefix
  for (const std::string& name : got) {
    if (expected.contains(name)) ++counts[""];
    for (size_t dot = name.find('.'); dot != std::string::npos; dot = name.find('.', dot + 1)) {
      if (expected.contains(name.substr(dot + 1))) ++counts[name.substr(0, dot + 1)];
    }
  }
  std::string best;
  int64_t most = counts[""];
  for (const auto& [prefix, count] : counts) {
    if (count <= most) continue;
    best = prefix;
    most = count;
  }
  return best;
}

std::string CommonPrefix(const ShapeMap& expected, const TensorMap& got) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : got) names.push_back(name);
  return CommonPrefix(expected, names);
}

std::string DigestOf(const TensorMap& tensors) {
  Sha256 hash;
  for (const auto& [name, tensor] : tensors) {
    const torch::Tensor plain = tensor.detach().cpu().contiguous();
    hash.Update(absl::StrCat(name, "|", SafetensorsDtype(plain.scalar_type()), "|",
                             absl::StrJoin(plain.sizes(), ","), "|"));
    hash.Update(BytesOf(plain));
  }
  return hash.FinishHex();
}

bool MatchesPatterns(const std::string& name, const std::vector<std::string>& patterns) {
  bool matched = false;
  for (const std::string& pattern : patterns) {
    if (absl::StartsWith(pattern, "!")) {
      if (absl::StrContains(name, pattern.substr(1))) return false;
    } else if (absl::StrContains(name, pattern)) {
      matched = true;
    }
  }
  return matched;
}

TensorMap CloneTensors(const TensorMap& tensors) {
  TensorMap copies;
  for (const auto& [name, tensor] : tensors) copies[name] = tensor.detach().clone();
  return copies;
}

}  // namespace lvrpo
