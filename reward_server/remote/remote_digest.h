#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "verifiers/images/detected_objects.h"

// What a scorer or detector elsewhere says about itself. Pure functions.
namespace lvrpo {

// The answer to GET .../describe: {"digest": "...", "thresholds": {"score": 0.3, "counting_score": 0.9}}.
// Thresholds matter to detectors only, and may be left out.
struct RemoteDescription {
  std::string digest;
  DetectionThresholds thresholds;
};

// Internal, in one clause, says what is wrong.
absl::StatusOr<RemoteDescription> ReadDescription(absl::string_view json);

// Whether this can be a digest: 1 to 200 printable ASCII characters. Internal when it cannot.
absl::Status CheckRemoteDigest(absl::string_view digest);

// FailedPrecondition when an answer comes from another scorer than the one that was described.
absl::Status CheckUnchanged(absl::string_view described, absl::string_view answered);

// The same status, its reason too, with another message; with "who: " before its own.
absl::Status Reworded(const absl::Status& status, absl::string_view message);
absl::Status Named(absl::string_view who, const absl::Status& status);

}  // namespace lvrpo
