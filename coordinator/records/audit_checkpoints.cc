// Audits checkpoints: their records, manifests and steps must agree.

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "common/files/file.h"
#include "common/hash.h"
#include "coordinator/records/audit_parts.h"
#include "nlohmann/json.hpp"

namespace lvrpo {
namespace {

std::string Text(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// SHA-256 of a file, read in blocks (weights do not fit into memory twice); empty when it cannot be read.
std::string FileDigest(const std::string& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return "";
  Sha256 digest;
  std::vector<char> piece(1 << 20);
  ssize_t size;
  while ((size = read(descriptor, piece.data(), piece.size())) > 0 || (size < 0 && errno == EINTR))
    if (size > 0) digest.Update(piece.data(), static_cast<size_t>(size));
  close(descriptor);
  return size == 0 ? digest.FinishHex() : "";
}

}  // namespace

absl::Status RunAudit::ReadCheckpoints() {
  Statement rows(store_.database(), "SELECT step, record FROM checkpoints ORDER BY step");
  std::vector<v1::CheckpointRecord> checkpoints;
  while (true) {
    absl::StatusOr<bool> row = rows.Step();
    if (!row.ok()) return row.status();
    if (!*row) break;
    v1::CheckpointRecord record;
    if (!record.ParseFromString(rows.Bytes(1)) || record.step() != rows.Integer(0)) {
      checkpoints_->Broken(
          absl::StrCat("the record of the checkpoint of ", rows.Integer(0), " steps is damaged"));
      continue;
    }
    checkpoints.push_back(std::move(record));
  }
  for (size_t i = 0; i < checkpoints.size(); ++i) CheckFiles(checkpoints[i], i + 1 == checkpoints.size());
  const absl::StatusOr<std::vector<v1::CheckpointRecord>> abandoned = store_.AbandonedCheckpoints();
  if (!abandoned.ok()) return abandoned.status();
  for (const v1::CheckpointRecord& record : *abandoned) {
    if (record.step() > 0 && !ever_published_.contains({record.step(), record.version().digest()}))
      checkpoints_->Broken(absl::StrCat(record.path(), " was abandoned, and no step made its weights"));
  }
  const bool saved = !checkpoints.empty() && checkpoints.back().step() >= identity_.total_steps;
  // Between the last step and its checkpoint a run has not finished; a record that was taken away shows in
  // the sums of schema 2.
  if (finished_ && !saved && store_.schema() < 2)
    checkpoints_->Broken(
        absl::StrCat("all ", steps_, " steps are taken, and no checkpoint of them is recorded"));
  return absl::OkStatus();
}

void RunAudit::CheckFiles(const v1::CheckpointRecord& checkpoint, bool newest) {
  const auto broken = [&](const std::string& how) {
    checkpoints_->Broken(absl::StrCat(checkpoint.path(), " ", how));
  };
  const auto made = published_.find(checkpoint.step());
  if (checkpoint.step() == 0) {
    base_digests_.insert(checkpoint.version().digest());
  } else if (made == published_.end() || made->second != checkpoint.version().digest()) {
    broken("is recorded with other weights than its step made");
  }
  if (checkpoint.version().number() != checkpoint.step())
    broken("is recorded with another version than its step's");
  const std::string folder = JoinPath(run_dir_, checkpoint.path());
  const absl::StatusOr<std::string> manifest = ReadFile(JoinPath(folder, "manifest.json"));
  if (absl::IsNotFound(manifest.status()) && !newest) return;  // older ones are removed
  if (!manifest.ok()) return broken("has no manifest");
  if (Sha256Hex(*manifest) != checkpoint.digest())
    return broken("has another manifest than the one recorded");
  const nlohmann::json parsed = nlohmann::json::parse(*manifest, nullptr, false);
  if (!parsed.is_object() || !parsed.contains("files") || !parsed["files"].is_object())
    return broken("has a manifest that names no files");
  const auto step = parsed.find("step");
  if (step == parsed.end() || !step->is_number_integer() || step->get<int64_t>() != checkpoint.step())
    broken("has the manifest of another step");
  if (Text(parsed, "weights_digest") != checkpoint.version().digest())
    broken("holds other weights than its step made");
  if (Text(parsed, "config_digest") != identity_.config_digest) broken("is of another configuration");
  for (const auto& [name, digest] : parsed["files"].items()) {
    if (!digest.is_string() || digest.get<std::string>() != FileDigest(JoinPath(folder, name)))
      broken(absl::StrCat("has a damaged ", name));
  }
}

}  // namespace lvrpo
