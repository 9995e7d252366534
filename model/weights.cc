#include "model/weights.h"

#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/hash.h"
#include "data/safetensors.h"

namespace lvrpo {
namespace {

struct DtypeName {
  const char* name;
  torch::Dtype dtype;
};
constexpr DtypeName kDtypes[] = {
    {"F32", torch::kFloat32}, {"F64", torch::kFloat64}, {"F16", torch::kFloat16}, {"BF16", torch::kBFloat16},
    {"I64", torch::kInt64},   {"I32", torch::kInt32},   {"I16", torch::kInt16},   {"I8", torch::kInt8},
    {"U8", torch::kUInt8},    {"BOOL", torch::kBool}};

absl::StatusOr<torch::Dtype> DtypeFor(const std::string& name) {
  for (const DtypeName& entry : kDtypes) {
    if (name == entry.name) return entry.dtype;
  }
  return absl::UnimplementedError(absl::StrCat("tensors of dtype ", name, " cannot be held here"));
}

const char* NameFor(torch::Dtype dtype) {
  for (const DtypeName& entry : kDtypes) {
    if (dtype == entry.dtype) return entry.name;
  }
  return "";
}

absl::string_view BytesOf(const torch::Tensor& tensor) {
  return {static_cast<const char*>(tensor.data_ptr()), static_cast<size_t>(tensor.nbytes())};
}

std::string FirstTen(const std::vector<std::string>& names) {
  std::vector<std::string> first(names.begin(), names.begin() + std::min<size_t>(10, names.size()));
  return absl::StrCat(names.size(), " (", absl::StrJoin(first, ", "), names.size() > 10 ? ", ..." : "", ")");
}

}  // namespace

absl::StatusOr<TensorMap> LoadTensors(const std::string& path, std::optional<torch::Dtype> dtype) {
  auto file = SafetensorsFile::Open(path);
  if (!file.ok()) return file.status();
  TensorMap tensors;
  for (const auto& [name, entry] : (*file)->entries()) {
    absl::StatusOr<torch::Dtype> stored = DtypeFor(entry.dtype);
    if (!stored.ok())
      return absl::UnimplementedError(absl::StrCat(path, ": '", name, "': ", stored.status().message()));
    std::vector<int64_t> shape(entry.shape.begin(), entry.shape.end());
    torch::Tensor tensor = torch::empty(shape, *stored);
    if (!entry.bytes.empty()) std::memcpy(tensor.data_ptr(), entry.bytes.data(), entry.bytes.size());
    if (dtype.has_value() && tensor.is_floating_point()) tensor = tensor.to(*dtype);
    tensors[name] = tensor;
  }
  return tensors;
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
        NameFor(plain.scalar_type()), {plain.sizes().begin(), plain.sizes().end()}, BytesOf(plain)};
  }
  return WriteSafetensors(path, entries, metadata);
}

absl::Status CheckTensors(const ShapeMap& expected, const TensorMap& got, const std::string& source) {
  std::vector<std::string> missing, unexpected, misshaped;
  for (const auto& [name, shape] : expected) {
    const auto found = got.find(name);
    if (found == got.end()) {
      missing.push_back(name);
    } else if (found->second.sizes() != torch::IntArrayRef(shape)) {
      misshaped.push_back(absl::StrCat(name, " [", absl::StrJoin(found->second.sizes(), ","),
                                       "] instead of [", absl::StrJoin(shape, ","), "]"));
    }
  }
  for (const auto& [name, tensor] : got) {
    if (!expected.contains(name)) unexpected.push_back(name);
  }
  if (missing.empty() && unexpected.empty() && misshaped.empty()) return absl::OkStatus();
  std::string message = absl::StrCat(source, " does not fit its configuration:");
  if (!missing.empty()) absl::StrAppend(&message, " missing tensors ", FirstTen(missing));
  if (!unexpected.empty()) absl::StrAppend(&message, " unexpected tensors ", FirstTen(unexpected));
  if (!misshaped.empty()) absl::StrAppend(&message, " tensors of another shape ", FirstTen(misshaped));
  return absl::DataLossError(message);
}

absl::Status CheckWeights(const ShapeMap& expected, const TensorMap& got, const std::string& source) {
  if (absl::Status status = CheckTensors(expected, got, source); !status.ok()) return status;
  for (const auto& [name, tensor] : got) {
    if (!tensor.is_floating_point()) {
      return absl::DataLossError(absl::StrCat(source, ": the tensor ", name, " has dtype ",
                                              NameFor(tensor.scalar_type()),
                                              " instead of a floating-point one"));
    }
  }
  return absl::OkStatus();
}

std::string DigestOf(const TensorMap& tensors) {
  Sha256 hash;
  for (const auto& [name, tensor] : tensors) {
    const torch::Tensor plain = tensor.detach().cpu().contiguous();
    hash.Update(
        absl::StrCat(name, "|", NameFor(plain.scalar_type()), "|", absl::StrJoin(plain.sizes(), ","), "|"));
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
