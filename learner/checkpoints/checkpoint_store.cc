#include "learner/checkpoints/checkpoint_store.h"

#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/config/checkpoints_config.h"
#include "common/files/file.h"
#include "common/files/file_kind.h"
#include "common/files/filesystem.h"
#include "common/hash.h"
#include "common/json/json_text.h"
#include "learner/checkpoints/checkpoint_folder.h"
#include "verifiers/rules/bounded_json.h"

namespace lvrpo {
namespace {

constexpr char kComplete[] = "/COMPLETE";
constexpr size_t kMostText = size_t{1} << 20;         // bytes of COMPLETE, and of a manifest
constexpr int64_t kMostFileBytes = int64_t{1} << 45;  // no store takes larger objects
constexpr size_t kFolderDigits = 16;

// What COMPLETE says: the checkpoint's digest, and the bytes of each file. The folder's name follows from the
// digest.
struct Marker {
  std::string digest;
  std::map<std::string, int64_t> bytes = {};
};

std::string MarkerText(const Marker& marker) {
  return JsonText({{"format", 1}, {"digest", marker.digest}, {"bytes", marker.bytes}}) + "\n";
}

absl::StatusOr<Marker> ReadMarker(absl::string_view text) {
  const absl::StatusOr<nlohmann::json> parsed =
      ParseBoundedJson(text, {.bytes = kMostText, .values = 100000, .depth = 4, .unique_keys = true});
  const auto damaged = [] { return absl::DataLossError("COMPLETE is damaged"); };
  if (!parsed.ok() || !parsed->is_object()) return damaged();
  const auto format = parsed->find("format"), digest = parsed->find("digest"), bytes = parsed->find("bytes");
  if (format == parsed->end() || *format != 1 || digest == parsed->end() || !digest->is_string() ||
      bytes == parsed->end() || !bytes->is_object())
    return damaged();
  Marker marker = {.digest = digest->get<std::string>()};
  for (const auto& [name, size] : bytes->items()) {
    if (!size.is_number_integer()) return damaged();
    marker.bytes[name] = size.get<int64_t>();
    if (marker.bytes[name] < 0 || marker.bytes[name] > kMostFileBytes) return damaged();
  }
  return marker;
}

// The step of "<prefix>/step_000025/COMPLETE"; nullopt for other keys.
std::optional<int64_t> StepOfMarker(absl::string_view key, const std::string& prefix) {
  int64_t step = 0;
  if (!absl::ConsumePrefix(&key, prefix + "/step_") || !absl::ConsumeSuffix(&key, kComplete) ||
      !absl::SimpleAtoi(key, &step))
    return std::nullopt;
  return step;
}

std::string FolderKey(const std::string& key, const std::string& digest) {
  return absl::StrCat(key, "/", digest.substr(0, kFolderDigits), "/");
}

}  // namespace

absl::StatusOr<std::unique_ptr<CheckpointStore>> CheckpointStore::Create(const v1::CheckpointsConfig& config,
                                                                         std::function<bool()> stop,
                                                                         Waiting waiting) {
  if (config.store().empty()) return nullptr;
  const absl::StatusOr<S3Place> place = ParseS3Place(config.store());
  if (!place.ok()) return place.status();
  return std::make_unique<CheckpointStore>(S3Client::Options{.server = S3ServerOf(config),
                                                             .bucket = place->bucket,
                                                             .profile = config.profile(),
                                                             .stop = std::move(stop),
                                                             .waiting = std::move(waiting)},
                                           place->prefix.empty() ? "" : place->prefix + "/");
}

CheckpointStore::CheckpointStore(S3Client::Options client, std::string prefix, TransferOptions transfer)
    : bucket_(client.bucket), prefix_(std::move(prefix)), transfer_(transfer), client_(std::move(client)) {}

std::string CheckpointStore::KeyOf(int64_t step) const {
  return absl::StrCat(prefix_, "/", FileName(CheckpointPath(step)));
}

std::string CheckpointStore::Place(const std::string& key) const {
  return absl::StrCat("s3://", bucket_, "/", key);
}

absl::Status CheckpointStore::Begin(int64_t step) {
  const absl::StatusOr<std::vector<S3Upload>> uploads = client_.Uploads(prefix_ + "/");
  if (!uploads.ok()) return uploads.status();
  for (const S3Upload& upload : *uploads) {
    if (!absl::StartsWith(upload.key, prefix_ + "/")) continue;
    if (absl::Status status = client_.AbortUpload(upload.key, upload.id); !status.ok()) return status;
  }
  const absl::StatusOr<std::vector<S3Object>> objects = client_.List(prefix_ + "/step_");
  if (!objects.ok()) return objects.status();
  std::map<std::string, std::string> abandoned;
  for (const S3Object& object : *objects) {
    const std::optional<int64_t> complete = StepOfMarker(object.key, prefix_);
    if (!complete.has_value() || *complete <= step) continue;
    const absl::StatusOr<std::string> text = client_.Get(object.key, kMostText);
    if (absl::IsNotFound(text.status())) continue;
    if (!text.ok()) return text.status();
    abandoned[object.key] = *text;
  }
  absl::MutexLock lock(&mutex_);
  abandoned_ = std::move(abandoned);
  return absl::OkStatus();
}

absl::Status CheckpointStore::Complete(const std::string& key, const std::string& marker) {
  const absl::Status status = client_.Put(key, marker, /*only_new=*/true);
  if (!absl::IsAlreadyExists(status)) return status;
  const absl::StatusOr<std::string> there = client_.Get(key, kMostText);
  if (!there.ok()) return there.status();
  {
    absl::MutexLock lock(&mutex_);
    const auto abandoned = abandoned_.find(key);
    if (abandoned == abandoned_.end() || abandoned->second != *there) {
      return absl::AlreadyExistsError(
          absl::StrCat(Place(key), " is another learner's: two learners wrote this step"));
    }
  }
  if (absl::Status removed = client_.Delete(key); !removed.ok()) return removed;
  {
    absl::MutexLock lock(&mutex_);
    abandoned_.erase(key);  // what appears there from now on is another learner's
  }
  return client_.Put(key, marker, /*only_new=*/true);
}

absl::StatusOr<std::string> CheckpointStore::Upload(const std::string& folder, int64_t step,
                                                    const std::string& digest, int64_t* sent) {
  const std::string key = KeyOf(step), inside = FolderKey(key, digest);
  const std::string manifest_path = JoinPath(folder, kCheckpointManifest);
  const absl::StatusOr<std::string> manifest = ReadFile(manifest_path, kMostText);
  if (!manifest.ok()) return manifest.status();
  if (Sha256Hex(*manifest) != digest)
    return absl::DataLossError(absl::StrCat(manifest_path, " is not what the run's records say"));
  absl::StatusOr<std::map<std::string, std::string>> files = ReadManifestFiles(*manifest);
  if (!files.ok()) return files.status();
  (*files)[kCheckpointManifest] = digest;
  Marker marker = {.digest = digest};
  for (const auto& [name, sha256] : *files) {
    const absl::StatusOr<int64_t> size = FileSize(JoinPath(folder, name));
    if (!size.ok()) return size.status();
    marker.bytes[name] = *size;
  }
  const std::string text = MarkerText(marker);
  const absl::StatusOr<std::string> there = client_.Get(key + kComplete, kMostText);
  if (there.ok() && *there == text) return Place(key);
  if (!there.ok() && !absl::IsNotFound(there.status()) && !absl::IsDataLoss(there.status()))
    return there.status();
  for (const auto& [name, sha256] : *files) {
    const absl::Status status = UploadFile(client_, inside + name, JoinPath(folder, name), sha256, transfer_);
    if (!status.ok()) return status;
    *sent += marker.bytes[name];
  }
  if (absl::Status status = Complete(key + kComplete, text); !status.ok()) return status;
  return Place(key);
}

absl::Status CheckpointStore::Download(const std::string& place, const std::string& digest,
                                       const std::string& folder) {
  absl::string_view rest = place;
  if (!absl::ConsumePrefix(&rest, absl::StrCat("s3://", bucket_, "/"))) {
    return absl::NotFoundError(absl::StrCat("the checkpoint is in ", OneLine(place, 200),
                                            ", and checkpoints.store is another bucket"));
  }
  const std::string key(rest);
  const absl::StatusOr<std::string> text = client_.Get(key + kComplete, kMostText);
  if (!text.ok()) return text.status();
  const absl::StatusOr<Marker> marker = ReadMarker(*text);
  if (!marker.ok()) return absl::DataLossError(absl::StrCat(place, "/", marker.status().message()));
  if (marker->digest != digest)
    return absl::DataLossError(absl::StrCat(place, " is another checkpoint than the recorded one"));
  const std::string inside = FolderKey(key, digest);
  const absl::StatusOr<std::string> manifest = client_.Get(inside + kCheckpointManifest, kMostText);
  if (!manifest.ok()) return manifest.status();
  if (Sha256Hex(*manifest) != digest)
    return absl::DataLossError(absl::StrCat(place, " has a damaged manifest"));
  const absl::StatusOr<std::map<std::string, std::string>> files = ReadManifestFiles(*manifest);
  if (!files.ok()) return files.status();
  return ReplaceCheckpoint(folder, [&](const std::string& unfinished) -> absl::Status {
    for (const auto& [name, sha256] : *files) {
      const std::string path = JoinPath(unfinished, name);
      const auto size = marker->bytes.find(name);
      if (size == marker->bytes.end())
        return absl::DataLossError(absl::StrCat(place, "/COMPLETE does not name ", name));
      if (absl::Status status = MakeFolder(ParentFolder(path)); !status.ok()) return status;
      if (absl::Status status = DownloadFile(client_, inside + name, path, size->second, sha256, transfer_);
          !status.ok())
        return status;
    }
    return WriteFileAtomic(JoinPath(unfinished, kCheckpointManifest), *manifest);
  });
}

absl::Status CheckpointStore::Remove(int64_t step) {
  const std::string key = KeyOf(step);
  if (absl::Status status = client_.Delete(key + kComplete); !status.ok()) return status;
  const absl::StatusOr<std::vector<S3Object>> objects = client_.List(key + "/");
  if (!objects.ok()) return objects.status();
  for (const S3Object& object : *objects) {
    if (absl::Status status = client_.Delete(object.key); !status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace lvrpo
