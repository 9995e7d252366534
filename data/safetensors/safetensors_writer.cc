#include "data/safetensors/safetensors_writer.h"

#include <algorithm>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "common/json/json_text.h"
#include "data/safetensors/safetensors_layout.h"
#include "nlohmann/json.hpp"

namespace lvrpo {

uint64_t SafetensorsDescription::bytes() const {
  uint64_t elements = 1;
  for (const uint64_t dimension : shape) elements *= dimension;
  return elements * static_cast<uint64_t>(SafetensorsDtypeBits(dtype)) / 8;
}

std::string SafetensorsHeader(std::vector<SafetensorsDescription>& tensors,
                              const std::map<std::string, std::string>& metadata, bool empty_metadata) {
  std::sort(tensors.begin(), tensors.end(),
            [](const SafetensorsDescription& a, const SafetensorsDescription& b) {
              const int rank_a = SafetensorsDtypeRank(a.dtype), rank_b = SafetensorsDtypeRank(b.dtype);
              return std::tie(rank_b, a.name) < std::tie(rank_a, b.name);
            });
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty() || empty_metadata) header["__metadata__"] = metadata;
  uint64_t offset = 0;
  for (const SafetensorsDescription& tensor : tensors) {
    const uint64_t end = offset + tensor.bytes();
    nlohmann::ordered_json description = nlohmann::ordered_json::object();
    description["dtype"] = tensor.dtype;
    description["shape"] = tensor.shape;
    description["data_offsets"] = {offset, end};
    header[tensor.name] = std::move(description);
    offset = end;
  }
  std::string json = JsonText(header);
  json.resize((json.size() + 7) / 8 * 8, ' ');
  const uint64_t size = json.size();
  return std::string(reinterpret_cast<const char*>(&size), 8) + json;
}

SafetensorsWriter::SafetensorsWriter(std::vector<SafetensorsDescription> order,
                                     std::unique_ptr<AtomicFile> file)
    : order_(std::move(order)), file_(std::move(file)) {
  for (const SafetensorsDescription& tensor : order_) promised_ += tensor.bytes();
}

absl::StatusOr<std::unique_ptr<SafetensorsWriter>> SafetensorsWriter::Create(
    const std::string& path, std::vector<SafetensorsDescription> tensors,
    const std::map<std::string, std::string>& metadata) {
  const std::string header = SafetensorsHeader(tensors, metadata);
  absl::StatusOr<std::unique_ptr<AtomicFile>> file = AtomicFile::Create(path);
  if (!file.ok()) return file.status();
  if (absl::Status status = (*file)->Append(header); !status.ok()) return status;
  return std::unique_ptr<SafetensorsWriter>(new SafetensorsWriter(std::move(tensors), *std::move(file)));
}

absl::Status SafetensorsWriter::Append(absl::string_view bytes) {
  written_ += bytes.size();
  return file_->Append(bytes);
}

absl::Status SafetensorsWriter::Finish() {
  if (written_ != promised_) {
    return absl::FailedPreconditionError(
        absl::StrCat("the tensors of a safetensors file have ", written_, " bytes instead of ", promised_));
  }
  return file_->Commit();
}

}  // namespace lvrpo
