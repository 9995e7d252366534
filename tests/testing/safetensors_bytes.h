#pragma once

#include <map>
#include <string>
#include <vector>

#include "data/safetensors/safetensors.h"
#include "data/safetensors/safetensors_writer.h"

namespace lvrpo {

// The bytes that WriteSafetensors writes; with `empty_metadata` the header has __metadata__ even if empty.
inline std::string SerializeSafetensors(const std::map<std::string, SafetensorsEntry>& entries,
                                        const std::map<std::string, std::string>& metadata,
                                        bool empty_metadata = false) {
  std::vector<SafetensorsDescription> order;
  for (const auto& [name, entry] : entries) order.push_back({name, entry.dtype, entry.shape});
  std::string file = SafetensorsHeader(order, metadata, empty_metadata);
  size_t total = file.size();
  for (const auto& [name, entry] : entries) total += entry.bytes.size();
  file.reserve(total);
  for (const SafetensorsDescription& tensor : order) {
    const absl::string_view bytes = entries.at(tensor.name).bytes;
    file.append(bytes.data(), bytes.size());
  }
  return file;
}

}  // namespace lvrpo
