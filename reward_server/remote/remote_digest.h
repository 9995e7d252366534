#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "verifiers/images/detected_objects.h"

// The description of a remote scorer or detector. Pure functions.
namespace lvrpo {

// The answer to GET .../describe: {"digest": "...", "thresholds": {"score": 0.3, "counting_score": 0.9}}.
// Thresholds are for detectors only, and optional.
struct RemoteDescription {
  std::string digest;
  DetectionThresholds thresholds;
};

// DataLoss, in one clause, says what is wrong.
absl::StatusOr<RemoteDescription> ReadDescription(absl::string_view json);

// Checks that this is a valid digest: 1 to 200 printable ASCII characters. DataLoss when not.
absl::Status CheckRemoteDigest(absl::string_view digest);

// FailedPrecondition when an answer is from another scorer than the one that was described.
absl::Status CheckUnchanged(absl::string_view described, absl::string_view answered);

}  // namespace lvrpo
