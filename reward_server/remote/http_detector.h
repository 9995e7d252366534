#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "reward_server/remote/external_link.h"
#include "reward_server/remote/http/http.h"
#include "reward_server/remote/http/http_client.h"
#include "reward_server/remote/remote_digest.h"
#include "reward_server/scoring/detector.h"

namespace lvrpo {

// A remote detector (docs/remote_scorers.md): GET {address}/describe, POST {address}. Objects of classes that
// were not requested are ignored. Errors name the address.
class HttpDetector : public ObjectDetector {
 public:
  // Queries the detector's description. Unavailable when it cannot be reached within options.deadline.
  // Without a transport: libcurl.
  static absl::StatusOr<std::unique_ptr<HttpDetector>> Create(
      const std::string& address, const LinkOptions& options,
      std::unique_ptr<HttpTransport> transport = nullptr);

  // Covers the detector's own digest and its thresholds.
  std::string digest() const override;
  DetectionThresholds thresholds() const override { return description_.thresholds; }
  absl::StatusOr<std::vector<std::vector<Detection>>> Detect(
      const std::vector<RgbImage>& images, const std::vector<std::string>& classes) override;

 private:
  HttpDetector(const std::string& address, const LinkOptions& options,
               std::unique_ptr<HttpTransport> transport);

  const std::string address_;
  const RetryPolicy retry_;
  HttpClient client_;
  RemoteDescription description_;  // set once, by Create
};

// {"classes": ["bench", ...], "images": [base64 of a PNG, ...]}. InvalidArgument for an invalid image.
absl::StatusOr<std::string> DetectRequestJson(const std::vector<RgbImage>& images,
                                              const std::vector<std::string>& classes);

// {"digest": "...", "images": [{as verifiers/images/detections.h has it}, ...]}: the detections of these
// classes (case-insensitive, spaces may be written as "_" or "-") in images of these sizes, by the detector
// of that digest. FailedPrecondition when another one answered, DataLoss for any malformed answer.
absl::StatusOr<std::vector<std::vector<Detection>>> ReadDetectionsJson(
    absl::string_view text, const std::vector<ImageSize>& sizes, const std::vector<std::string>& classes,
    const std::string& digest);

}  // namespace lvrpo
