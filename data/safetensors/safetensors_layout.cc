#include "data/safetensors/safetensors_layout.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "common/files/file_kind.h"
#include "data/safetensors/safetensors_header.h"
#include "data/safetensors/safetensors_refusal.h"

namespace lvrpo {
namespace {

constexpr uint64_t kMaxHeaderBytes = 100000000;

struct Dtype {
  const char* name;
  int bits;
};
// In increasing alignment, the reference's order (huggingface/safetensors:safetensors/src/tensor.rs).
constexpr std::array<Dtype, 22> kDtypes = {
    {{"BOOL", 8},    {"F4", 4},      {"F6_E2M3", 6}, {"F6_E3M2", 6},     {"U8", 8},          {"I8", 8},
     {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}, {"I16", 16},
     {"U16", 16},    {"F16", 16},    {"BF16", 16},   {"I32", 32},        {"U32", 32},        {"F32", 32},
     {"C64", 64},    {"F64", 64},    {"I64", 64},    {"U64", 64}}};

absl::Status CheckEntry(const RawTensor& tensor, uint64_t expected_begin) {
  const auto bad = [&](const auto&... words) {
    return absl::DataLossError(absl::StrCat("tensor '", tensor.name, "' ", words...));
  };
  const int bits = SafetensorsDtypeBits(tensor.dtype);
  if (bits == 0) return bad("has the unknown dtype '", tensor.dtype, "'");
  if (tensor.begin != expected_begin || tensor.end < tensor.begin) {
    return bad("occupies bytes ", tensor.begin, " to ", tensor.end, " where ", expected_begin,
               " should begin: there is a hole or an overlap");
  }
  uint64_t elements = 1;
  for (const uint64_t dimension : tensor.shape) {
    if (dimension > static_cast<uint64_t>(INT64_MAX)) return bad("has a dimension above 2^63 - 1");
    if (__builtin_mul_overflow(elements, dimension, &elements))
      return bad("has a shape whose product overflows");
  }
  uint64_t total_bits = 0;
  if (__builtin_mul_overflow(elements, static_cast<uint64_t>(bits), &total_bits)) {
    return bad("has a size that overflows");
  }
  if (total_bits % 8 != 0) return bad("does not fill whole bytes");
  if (tensor.end - tensor.begin != total_bits / 8) {
    return bad("occupies ", tensor.end - tensor.begin, " bytes where its shape and dtype need ",
               total_bits / 8);
  }
  return absl::OkStatus();
}

}  // namespace

int SafetensorsDtypeRank(absl::string_view dtype) {
  for (size_t i = 0; i < kDtypes.size(); ++i) {
    if (dtype == kDtypes[i].name) return static_cast<int>(i);
  }
  return -1;
}

int SafetensorsDtypeBits(absl::string_view dtype) {
  const int rank = SafetensorsDtypeRank(dtype);
  return rank < 0 ? 0 : kDtypes[static_cast<size_t>(rank)].bits;
}

uint64_t SafetensorsPlace::elements() const {
  uint64_t count = 1;
  for (const uint64_t dimension : shape) count *= dimension;
  return count;
}

absl::StatusOr<uint64_t> SafetensorsHeaderSize(absl::string_view first_bytes, uint64_t file_size) {
  if (file_size < 8 || first_bytes.size() < 8) return absl::DataLossError("it is shorter than 8 bytes");
  uint64_t size = 0;
  std::memcpy(&size, first_bytes.data(), 8);
  if (size > kMaxHeaderBytes) {
    return absl::DataLossError(
        absl::StrCat("its header claims ", size, " bytes; the limit is ", kMaxHeaderBytes));
  }
  if (size > file_size - 8)
    return absl::DataLossError("its header runs past the end of the file, which may have been cut off");
  return size;
}

absl::StatusOr<SafetensorsLayout> ParseSafetensorsLayout(absl::string_view json, uint64_t file_size) {
  const uint64_t data_begin = 8 + json.size();
  absl::StatusOr<RawHeader> header = ParseSafetensorsHeader(json);
  if (!header.ok()) return header.status();
  std::sort(header->tensors.begin(), header->tensors.end(), [](const RawTensor& a, const RawTensor& b) {
    return std::tie(a.begin, a.end) < std::tie(b.begin, b.end);
  });
  uint64_t end = 0;
  for (const RawTensor& tensor : header->tensors) {
    if (absl::Status status = CheckEntry(tensor, end); !status.ok()) return status;
    end = tensor.end;
  }
  if (end != file_size - data_begin) {
    return absl::DataLossError(
        absl::StrCat("its tensors end at byte ", end, " of the data, which has ", file_size - data_begin,
                     " bytes", end > file_size - data_begin ? ": the file was cut off, fetch it again" : ""));
  }
  SafetensorsLayout layout;
  for (RawTensor& tensor : header->tensors) {
    layout.tensors[tensor.name] = {std::move(tensor.dtype), std::move(tensor.shape),
                                   data_begin + tensor.begin, data_begin + tensor.end};
  }
  layout.metadata = std::move(header->metadata);
  layout.has_metadata = header->has_metadata;
  return layout;
}

absl::Status UnsoundSafetensors(const std::string& path, absl::string_view beginning, absl::string_view why) {
  const std::string kind = FileKind(beginning.substr(0, kFileKindBytes));
  return absl::DataLossError(kind.empty() ? absl::StrCat(path, " is not a sound safetensors file: ", why)
                                          : absl::StrCat(path, " is not a safetensors file; it is ", kind));
}

absl::StatusOr<SafetensorsLayout> ReadSafetensorsLayout(const RandomAccessFile& file) {
  std::string first(std::min<uint64_t>(kFileKindBytes, file.size()), '\0');
  if (absl::Status status = file.Read(0, first.data(), first.size()); !status.ok()) return status;
  const auto unsound = [&](const absl::Status& status) {
    return UnsoundSafetensors(file.path(), first, status.message());
  };
  const absl::StatusOr<uint64_t> size =
      SafetensorsHeaderSize(absl::string_view(first).substr(0, 8), file.size());
  if (!size.ok()) return unsound(size.status());
  std::string json(*size, '\0');
  if (absl::Status status = file.Read(8, json.data(), json.size()); !status.ok()) return status;
  absl::StatusOr<SafetensorsLayout> layout = ParseSafetensorsLayout(json, file.size());
  if (!layout.ok()) return unsound(layout.status());
  return layout;
}

}  // namespace lvrpo
