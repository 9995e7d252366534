#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "data/image/image.h"
#include "verifiers/images/detected_objects.h"
#include "verifiers/images/detections.h"

namespace lvrpo {

// Finds objects in images, for rules about detected objects. Frozen: the same images give the same
// detections. Called by one thread at a time.
class ObjectDetector {
 public:
  virtual ~ObjectDetector() = default;
  // Identifies the weights and settings that determine the detections.
  virtual std::string digest() const = 0;
  // The score thresholds of its detections in rules; the defaults are GenEval's, for its detector.
  virtual DetectionThresholds thresholds() const { return {}; }
  // One list per image, in order, of objects of these classes ("traffic light") with their scores and boxes;
  // colours may be empty. InvalidArgument: no detector can search for this; any other error: this detector
  // failed.
  virtual absl::StatusOr<std::vector<std::vector<Detection>>> Detect(
      const std::vector<RgbImage>& images, const std::vector<std::string>& classes) = 0;
};

}  // namespace lvrpo
