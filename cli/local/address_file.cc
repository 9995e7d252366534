#include "cli/local/address_file.h"

#include "common/files/file.h"
#include "nlohmann/json.hpp"

namespace lvrpo {

absl::StatusOr<std::string> ReadAddressFile(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadFile(path);
  if (!text.ok()) return text.status();
  const nlohmann::json json = nlohmann::json::parse(*text, nullptr, false);
  if (!json.is_object() || !json.contains("address") || !json["address"].is_string())
    return absl::DataLossError(path + " is damaged");
  return json["address"].get<std::string>();
}

}  // namespace lvrpo
