#include "data/safetensors.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/file.h"
#include "data/safetensors_header.h"
#include "nlohmann/json.hpp"

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

int DtypeRank(absl::string_view dtype) {
  for (size_t i = 0; i < kDtypes.size(); ++i) {
    if (dtype == kDtypes[i].name) return static_cast<int>(i);
  }
  return -1;
}

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

int SafetensorsDtypeBits(absl::string_view dtype) {
  const int rank = DtypeRank(dtype);
  return rank < 0 ? 0 : kDtypes[static_cast<size_t>(rank)].bits;
}

absl::StatusOr<std::shared_ptr<const SafetensorsFile>> SafetensorsFile::Open(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return absl::NotFoundError(absl::StrCat("cannot open ", path, ": ", std::strerror(errno)));
  struct stat info = {};
  if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    close(fd);
    return absl::DataLossError(absl::StrCat(path, " is not a regular file"));
  }
  std::shared_ptr<SafetensorsFile> file(new SafetensorsFile);
  file->size_ = static_cast<size_t>(info.st_size);
  if (file->size_ > 0) {
    file->mapping_ = mmap(nullptr, file->size_, PROT_READ, MAP_PRIVATE, fd, 0);
    if (file->mapping_ == MAP_FAILED) {
      file->mapping_ = nullptr;
      close(fd);
      return absl::InternalError(absl::StrCat("cannot map ", path, ": ", std::strerror(errno)));
    }
  }
  close(fd);
  const absl::Status status = file->Parse({static_cast<const char*>(file->mapping_), file->size_});
  if (!status.ok()) {
    return absl::DataLossError(absl::StrCat(path, " is not a sound safetensors file: ", status.message()));
  }
  return file;
}

SafetensorsFile::~SafetensorsFile() {
  if (mapping_ != nullptr) munmap(mapping_, size_);
}

absl::Status SafetensorsFile::Parse(absl::string_view file) {
  if (file.size() < 8) return absl::DataLossError("it is shorter than 8 bytes");
  uint64_t header_size = 0;
  std::memcpy(&header_size, file.data(), 8);
  if (header_size > kMaxHeaderBytes) {
    return absl::DataLossError(
        absl::StrCat("its header claims ", header_size, " bytes; the limit is ", kMaxHeaderBytes));
  }
  if (header_size > file.size() - 8) return absl::DataLossError("its header runs past the end of the file");
  const absl::string_view data = file.substr(8 + header_size);
  absl::StatusOr<RawHeader> header = ParseSafetensorsHeader(file.substr(8, header_size));
  if (!header.ok()) return header.status();
  std::sort(header->tensors.begin(), header->tensors.end(), [](const RawTensor& a, const RawTensor& b) {
    return std::tie(a.begin, a.end) < std::tie(b.begin, b.end);
  });
  uint64_t end = 0;
  for (const RawTensor& tensor : header->tensors) {
    if (absl::Status status = CheckEntry(tensor, end); !status.ok()) return status;
    end = tensor.end;
  }
  if (end != data.size()) {
    return absl::DataLossError(
        absl::StrCat("its tensors end at byte ", end, " of the data, which has ", data.size(), " bytes"));
  }
  for (RawTensor& tensor : header->tensors) {
    entries_[tensor.name] = {std::move(tensor.dtype), std::move(tensor.shape),
                             data.substr(tensor.begin, tensor.end - tensor.begin)};
  }
  metadata_ = std::move(header->metadata);
  has_metadata_ = header->has_metadata;
  return absl::OkStatus();
}

std::string SerializeSafetensors(const std::map<std::string, SafetensorsEntry>& entries,
                                 const std::map<std::string, std::string>& metadata, bool empty_metadata) {
  std::vector<const std::pair<const std::string, SafetensorsEntry>*> order;
  for (const auto& entry : entries) order.push_back(&entry);
  std::stable_sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    return DtypeRank(a->second.dtype) > DtypeRank(b->second.dtype);
  });
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty() || empty_metadata) header["__metadata__"] = metadata;
  uint64_t offset = 0;
  for (const auto* entry : order) {
    const uint64_t end = offset + entry->second.bytes.size();
    nlohmann::ordered_json description = nlohmann::ordered_json::object();
    description["dtype"] = entry->second.dtype;
    description["shape"] = entry->second.shape;
    description["data_offsets"] = {offset, end};
    header[entry->first] = std::move(description);
    offset = end;
  }
  std::string json = header.dump();
  json.resize((json.size() + 7) / 8 * 8, ' ');
  const uint64_t header_size = json.size();
  std::string file(reinterpret_cast<const char*>(&header_size), 8);
  file.reserve(8 + json.size() + offset);
  file += json;
  for (const auto* entry : order) file.append(entry->second.bytes.data(), entry->second.bytes.size());
  return file;
}

absl::Status WriteSafetensors(const std::string& path, const std::map<std::string, SafetensorsEntry>& entries,
                              const std::map<std::string, std::string>& metadata) {
  return WriteFileAtomic(path, SerializeSafetensors(entries, metadata));
}

}  // namespace lvrpo
