#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace lvrpo {

// One object that a detector found in an image.
struct Detection {
  std::string class_name;  // as the detector calls it, e.g. "traffic light"
  double score = 0;        // 0 to 1
  double x0 = 0, y0 = 0;   // corners of the box, pixels from the upper left corner of the image
  double x1 = 0, y1 = 0;   // not before x0, y0
  std::string color;       // empty: unknown
};

// All detections in one image. As JSON:
//   {"width": 512, "height": 512,
//    "objects": [{"class": "bench", "score": 0.98, "box": [30, 200, 310, 420], "color": "red"}]}
// "color" is optional; other members are ignored.
struct Detections {
  int width = 0;  // of the image, pixels
  int height = 0;
  std::vector<Detection> objects;
};

// Limits. Boxes may exceed the image's edges, by no more than its size.
constexpr int kMostImageSide = 65535;                     // pixels
constexpr int kMostDetections = 4096;                     // of an image
constexpr size_t kMostNameBytes = 128;                    // class and colour
constexpr size_t kMostDetectionsBytes = size_t{4} << 20;  // the JSON

// InvalidArgument, in one line, names the value out of bounds ("objects[3].box[1] is ..."). Numbers that are
// not finite are refused.
absl::Status CheckDetections(const Detections& detections);

// InvalidArgument for JSON not of this form or out of bounds, in one line with the member's name.
absl::StatusOr<Detections> DetectionsFromJson(absl::string_view json);

}  // namespace lvrpo
