#include "learner/checkpoints/checkpoint_parts.h"

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/files/file.h"
#include "common/files/file_reader.h"
#include "common/files/filesystem.h"
#include "common/hash.h"
#include "common/json/json_text.h"
#include "verifiers/rules/bounded_json.h"

namespace lvrpo {
namespace {

constexpr char kAnnouncement[] = ".json";
constexpr size_t kMostAnnouncement = 4096, kFolderDigits = 16;
constexpr absl::Duration kLook = absl::Milliseconds(50);

// The SHA-256 of a part that was announced; nullopt: not yet.
absl::StatusOr<std::optional<std::string>> Announced(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadFile(path + kAnnouncement, kMostAnnouncement);
  if (absl::IsNotFound(text.status())) return std::nullopt;
  if (!text.ok()) return text.status();
  const absl::StatusOr<nlohmann::json> said =
      ParseBoundedJson(*text, {.bytes = kMostAnnouncement, .values = 10, .depth = 2, .unique_keys = true});
  const absl::StatusOr<int64_t> size = FileSize(path);
  if (!size.ok() || !said.ok() || !said->is_object() || said->value("bytes", int64_t{-1}) != *size ||
      !said->contains("sha256") || !(*said)["sha256"].is_string())
    return absl::DataLossError(absl::StrCat(path, " is not what its rank announced"));
  return (*said)["sha256"].get<std::string>();
}

// Changes whenever anything is written there.
int64_t BytesIn(const std::string& folder) {
  int64_t bytes = 0;
  for (const std::string& name : ListFolder(folder).value_or(std::vector<std::string>()))
    bytes += 1 + FileSize(JoinPath(folder, name)).value_or(0);
  return bytes;
}

// Waits for a part; its SHA-256.
class PartsAwaiter {
 public:
  PartsAwaiter(std::string folder, const PartsPatience& patience)
      : folder_(std::move(folder)), patience_(patience), since_(patience_.waiting.clock->Now()) {}

  absl::StatusOr<std::string> Await(const std::string& name) {
    while (true) {
      const absl::StatusOr<std::optional<std::string>> sha256 = Announced(JoinPath(folder_, name));
      if (!sha256.ok()) return sha256.status();
      if (sha256->has_value()) return **sha256;
      const absl::Time now = patience_.waiting.clock->Now();
      if (const int64_t bytes = BytesIn(folder_); bytes != bytes_) {
        bytes_ = bytes;
        since_ = now;
      }
      const bool lost = patience_.lost && patience_.lost();
      if (now - since_ >= (lost ? patience_.silent_when_lost : patience_.silent)) {
        return absl::DeadlineExceededError(
            absl::StrCat(name, ", a rank's part of the checkpoint, was not written"));
      }
      patience_.waiting.sleep(kLook);
    }
  }

 private:
  const std::string folder_;
  const PartsPatience& patience_;
  absl::Time since_;
  int64_t bytes_ = -1;
};

}  // namespace

std::string OptimizerPart(int part, int parts) {
  return absl::StrFormat("optimizer-%05d-of-%05d.safetensors", part, parts);
}

std::string PartsFolder(const std::string& folder, const std::string& made_by) {
  return absl::StrCat(folder, ".", Sha256Hex(made_by).substr(0, kFolderDigits), ".parts");
}

absl::Status AnnouncePart(const std::string& from, const std::string& name) {
  const std::string path = JoinPath(from, name);
  const absl::StatusOr<std::string> sha256 = FileSha256Hex(path);
  if (!sha256.ok()) return sha256.status();
  const absl::StatusOr<int64_t> bytes = FileSize(path);
  if (!bytes.ok()) return bytes.status();
  return WriteFileAtomic(path + kAnnouncement, JsonText({{"sha256", *sha256}, {"bytes", *bytes}}));
}

absl::Status WithdrawPart(const std::string& from, const std::string& name) {
  return RemoveFile(JoinPath(from, name) + kAnnouncement);
}

absl::StatusOr<std::map<std::string, std::string>> TakeParts(const std::string& from, int parts,
                                                             const std::string& into,
                                                             const PartsPatience& patience) {
  std::map<std::string, std::string> taken;
  PartsAwaiter awaiter(from, patience);
  for (int part = 1; part < parts; ++part) {
    const std::string name = OptimizerPart(part, parts);
    const absl::StatusOr<std::string> sha256 = awaiter.Await(name);
    if (!sha256.ok()) return sha256.status();
    if (absl::Status status = WithdrawPart(from, name); !status.ok()) return status;
    if (absl::Status status = Rename(JoinPath(from, name), JoinPath(into, name)); !status.ok()) return status;
    taken[name] = *sha256;
  }
  (void)RemoveTree(from);
  if (absl::Status status = SyncFolder(into); !status.ok()) return status;
  return taken;
}

}  // namespace lvrpo
