#include "common/config/checkpoints_config.h"

#include <string>

namespace lvrpo {
namespace {

constexpr int kMostKept = 1000;

void CheckKeep(const std::string& field, const v1::KeepConfig& keep, ConfigProblems& problems) {
  problems.Range(field + ".last", keep.last(), 1, kMostKept);
  problems.Range(field + ".every", keep.every(), 0, 1e9);
  problems.Range(field + ".best", keep.best(), 0, kMostKept);
}

}  // namespace

S3Server S3ServerOf(const v1::CheckpointsConfig& checkpoints) {
  return {.endpoint = checkpoints.endpoint(),
          .region = checkpoints.region(),
          .path_style = checkpoints.path_style(),
          .allow_plain_http = checkpoints.plain_http(),
          .ca_file = checkpoints.ca_file()};
}

void CheckCheckpoints(const v1::CheckpointsConfig& checkpoints, ConfigProblems& problems) {
  CheckKeep("checkpoints.kept", checkpoints.kept(), problems);
  CheckKeep("checkpoints.stored", checkpoints.stored(), problems);
  problems.Range("checkpoints.last_upload_seconds", checkpoints.last_upload_seconds(), 0, 1e6);
  if (checkpoints.store().empty()) {
    if (!checkpoints.endpoint().empty())
      problems.Add("checkpoints.endpoint", "is set, and checkpoints.store names no bucket there");
    return;
  }
  const absl::StatusOr<S3Place> place = ParseS3Place(checkpoints.store());
  if (!place.ok()) problems.Add("checkpoints.store", std::string(place.status().message()));
  if (const absl::Status server = CheckS3Server(S3ServerOf(checkpoints)); !server.ok())
    problems.Add("checkpoints.endpoint", std::string(server.message()));
  if (!checkpoints.ca_file().empty()) problems.Exists("checkpoints.ca_file", checkpoints.ca_file());
}

}  // namespace lvrpo
