#include "model/weights/tensor_dtypes.h"

#include "absl/strings/str_cat.h"

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

}  // namespace

absl::StatusOr<torch::Dtype> TorchDtype(absl::string_view name) {
  for (const DtypeName& entry : kDtypes) {
    if (name == entry.name) return entry.dtype;
  }
  return absl::UnimplementedError(absl::StrCat("tensors of dtype ", name, " cannot be held here"));
}

const char* SafetensorsDtype(torch::Dtype dtype) {
  for (const DtypeName& entry : kDtypes) {
    if (dtype == entry.dtype) return entry.name;
  }
  return "";
}

absl::StatusOr<std::optional<torch::Dtype>> ParseWeightDtype(absl::string_view name) {
  if (name == "keep") return std::optional<torch::Dtype>();
  if (name == "fp32") return std::optional<torch::Dtype>(torch::kFloat32);
  if (name == "bf16") return std::optional<torch::Dtype>(torch::kBFloat16);
  if (name == "fp16") return std::optional<torch::Dtype>(torch::kFloat16);
  return absl::InvalidArgumentError(
      absl::StrCat("'", name, "' is not a dtype of weights: want fp32, bf16, fp16 or keep"));
}

}  // namespace lvrpo
