#include "cli/local/records.h"

#include "cli/local/process.h"
#include "common/files/file.h"

namespace lvrpo {

absl::StatusOr<nlohmann::json> ReadRecords(const std::string& run_dir) {
  const absl::StatusOr<std::string> text =
      Capture({JoinPath(BinaryFolder(), "lvrpo-coordinator"), "--describe", run_dir});
  if (!text.ok()) return text.status();
  nlohmann::json records = nlohmann::json::parse(*text, nullptr, false);
  if (!records.is_object())
    return absl::InternalError("lvrpo-coordinator --describe printed something else than JSON");
  return records;
}

}  // namespace lvrpo
